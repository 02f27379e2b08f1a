/** Requests to a server of OpenAI's chat completions, with the times at which their answers arrive. */
import http from "node:http";
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

/** A piece of an answer, and when it came. */
interface Arrived {
  readonly at: number;
  readonly bytes: Buffer;
}

/**
 * Asks, and keeps the answer as it comes with its times. It is read when it has ended: whoever measures shares the processors with
 * whoever is measured.
 */
export async function ask(
  { url }: Target,
  body: string,
  { signal, key }: { readonly signal?: AbortSignal; readonly key?: string } = {},
): Promise<Outcome> {
  const began = performance.now();
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const pieces: Arrived[] = [];
  const request = http.request(`${url}/v1/chat/completions`, {
    ...{ method: "POST", headers, agent: false }, // a server may close a connection that it kept as it is used again
    ...(signal && { signal }),
  });
  const ended = Promise.withResolvers<http.IncomingMessage>();
  request.on("error", ended.reject);
  request.on("response", (response) => {
    response.on("data", (bytes: Buffer) => pieces.push({ at: performance.now(), bytes }));
    response.on("end", () => ended.resolve(response));
    response.on("error", ended.reject);
  });
  request.end(body);
  const { statusCode = 0, headers: told } = await ended.promise;
  const whole = performance.now() - began;
  if (statusCode === 200) return measured(pieces, { began, whole });
  const retryAfter = told["retry-after"];
  return { status: statusCode, whole, ...(retryAfter !== undefined && { retryAfter: Number(retryAfter) }) };
}

async function measured(
  pieces: readonly Arrived[],
  { began, whole }: { readonly began: number; readonly whole: number },
): Promise<Measured> {
  let at = began;
  const arriving = async function* () {
    for (const piece of pieces) {
      at = piece.at;
      yield piece.bytes;
    }
  };
  const times: number[] = [];
  let [counted, cached, text] = [0, 0, ""];
  for await (const data of eventData(arriving())) {
    if (data === "[DONE]") break;
    const { choices = [], usage, error } = JSON.parse(data);
    if (error !== undefined) throw new Error(`the answer broke off: ${JSON.stringify(error)}`);
    const [choice] = choices;
    const piece = choice?.delta?.content ?? "";
    if (piece !== "" || choice?.logprobs) times.push(at);
    text += piece;
    if (usage) {
      counted = usage.completion_tokens;
      cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
    }
  }
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  return {
    first: (times[0] ?? began) - began,
    ...{ gaps, whole, cached, times, text },
    tokens: counted || times.length,
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
