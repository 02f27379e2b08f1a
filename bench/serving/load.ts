/** Requests to a server of OpenAI's chat completions, with the times at which their answers arrive. */
import { setTimeout as wait } from "node:timers/promises";
import sharp from "sharp";
import { eventData } from "../../src/client/index.ts";
import { mulberry32 } from "../../src/random/index.ts";

export interface Target {
  readonly name: string;
  readonly url: string;
  readonly model: string;
  /** Refuses fields that it does not know: `ignore_eos` and `stream_options` are left out, and usage is not told. */
  readonly isStrict?: boolean;
}

/** What one request took, in milliseconds. */
export interface Measured {
  readonly first: number;
  readonly gaps: readonly number[];
  readonly whole: number;
  readonly tokens: number;
  readonly cached: number;
  /** When each piece of text came, by the clock of `performance.now`. */
  readonly times: readonly number[];
  readonly text: string;
}

/** Why a request was not answered: its status, and the seconds after which it may be asked again. */
export interface Refused {
  readonly status: number;
  readonly retryAfter?: number;
  readonly whole: number;
}

export type Outcome = Measured | Refused;

export interface Question {
  readonly text: string;
  /** Of each image, its seed. */
  readonly images?: readonly number[];
  readonly tokens: number;
  /** Over the usual fields of the body. */
  readonly more?: object;
}

/** A picture of soft spots that no other seed draws, as a data URL. */
export async function picture(seed: number, { width = 640, height = 480 } = {}): Promise<string> {
  const random = mulberry32(seed);
  const raw = { width: 24, height: 18, channels: 3 } as const;
  const spots = Uint8Array.from({ length: 24 * 18 * 3 }, () => random() * 256);
  const jpeg = await sharp(spots, { raw }).resize(width, height, { kernel: "cubic" }).jpeg().toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString("base64")}`;
}

export async function bodyOf({ model, isStrict }: Target, question: Question): Promise<string> {
  const urls = await Promise.all((question.images ?? []).map((seed) => picture(seed)));
  const seen = urls.map((url) => ({ type: "image_url", image_url: { url } }));
  return JSON.stringify({
    model,
    messages: [{ role: "user", content: [...seen, { type: "text", text: question.text }] }],
    max_tokens: question.tokens,
    temperature: 0,
    stream: true,
    ...(!isStrict && { ignore_eos: true, stream_options: { include_usage: true } }),
    ...question.more,
  });
}

/** Asks, and reads the answer as it comes. */
export async function ask(
  { url }: Target,
  body: string,
  { signal, key }: { readonly signal?: AbortSignal; readonly key?: string } = {},
): Promise<Outcome> {
  const began = performance.now();
  const headers = {
    "content-type": "application/json",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const response = await fetch(`${url}/v1/chat/completions`, {
    ...{ method: "POST", headers, body },
    ...(signal && { signal }),
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    const retryAfter = response.headers.get("retry-after");
    return {
      status: response.status,
      whole: performance.now() - began,
      ...(retryAfter !== null && { retryAfter: Number(retryAfter) }),
    };
  }
  const times: number[] = [];
  let [told, cached, text] = [0, 0, ""];
  for await (const data of eventData(response.body)) {
    if (data === "[DONE]") break;
    const { choices = [], usage, error } = JSON.parse(data);
    if (error !== undefined) throw new Error(`the answer broke off: ${JSON.stringify(error)}`);
    const [choice] = choices;
    const piece = choice?.delta?.content ?? "";
    if (piece !== "" || choice?.logprobs) times.push(performance.now());
    text += piece;
    if (usage) {
      told = usage.completion_tokens;
      cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
    }
  }
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  const whole = performance.now() - began;
  return {
    first: (times[0] ?? began) - began,
    ...{ gaps, whole, cached, times, text },
    tokens: told || times.length,
  };
}

/** Each client asks when it is answered. */
export async function closedLoop(
  target: Target,
  bodies: readonly string[],
  clients: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const left = bodies.values();
  const client = async () => {
    for (const body of left) outcomes.push(await ask(target, body));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return outcomes;
}

/** Requests come as by a Poisson process of so many a second. */
export async function byChance(target: Target, bodies: readonly string[], rate: number): Promise<Outcome[]> {
  const random = mulberry32(1);
  const running: Promise<Outcome>[] = [];
  let next = performance.now();
  for (const body of bodies) {
    next += (-Math.log(1 - random()) / rate) * 1000;
    await wait(Math.max(0, next - performance.now()));
    running.push(ask(target, body));
  }
  return Promise.all(running);
}

export const isAnswered = (outcome: Outcome): outcome is Measured => "first" in outcome;

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
