/**
 * Load on a server of OpenAI's chat completions: streams from several clients at once, or as they come by chance, with images of
 * their own or shared ones. Times are of the events as they arrive; every answer's usage is checked.
 *
 *   node bench/serving.ts [--model llava-smol-135m] [--serve "--running 8"] [--url URL] [--beside URL=MODEL]
 *     [--clients 8 | --rate 2] [--requests 32] [--tokens 128] [--images own|none|N] [--questions 1] [--rounds 3] [--json]
 *
 * Without --url it starts `llava serve` itself. --beside names another server, which takes turns with the first in rounds, so that
 * a busy machine slows both: transformers' (`transformers serve FOLDER --port 8001`), llama.cpp's (`llama-server -m … --mmproj …
 * -np 8 -t 2 -cb`) or any other. --images N shares N images among all requests, --questions asks so many of each.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { eventData } from "../src/client/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { defaultModel } from "../src/setup/index.ts";
import { startServing } from "../test/support/serving-process.ts";
import { median } from "./peer.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: defaultModel },
    serve: { type: "string", default: "" },
    url: { type: "string" },
    beside: { type: "string" },
    clients: { type: "string", default: "8" },
    rate: { type: "string" },
    requests: { type: "string", default: "32" },
    tokens: { type: "string", default: "128" },
    images: { type: "string", default: "own" },
    questions: { type: "string", default: "1" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const [requests, tokens, questions] = [values.requests, values.tokens, values.questions].map(Number) as [
  number,
  number,
  number,
];

interface Target {
  readonly name: string;
  readonly url: string;
  readonly model: string;
}

/** What one request took, in milliseconds. */
interface Measured {
  readonly first: number;
  readonly gaps: readonly number[];
  readonly whole: number;
  readonly tokens: number;
  readonly cached: number;
}

/** Why a request was not answered: its status. */
type Outcome = Measured | { readonly status: number };

const asked = [
  "What is in this photo?",
  "How many people are there?",
  "Where was it taken, and when?",
  "What happens next?",
  "Describe the colours.",
];

/** A picture of soft spots that no other seed draws. */
async function picture(seed: number): Promise<string> {
  const random = mulberry32(seed);
  const raw = { width: 24, height: 18, channels: 3 } as const;
  const spots = Uint8Array.from({ length: 24 * 18 * 3 }, () => random() * 256);
  const jpeg = await sharp(spots, { raw }).resize(640, 480, { kernel: "cubic" }).jpeg().toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString("base64")}`;
}

async function bodyOf(index: number, { model }: Target, round: number): Promise<string> {
  const shared = Number(values.images);
  const about = Math.floor(index / questions);
  const seed = values.images === "own" ? about + round * requests : about % (shared || 1);
  const url = values.images === "none" ? undefined : await picture(seed);
  const text = { type: "text", text: `${asked[index % asked.length]} (${index % questions})` };
  const content = url === undefined ? [text] : [{ type: "image_url", image_url: { url } }, text];
  return JSON.stringify({
    model,
    messages: [{ role: "user", content }],
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  });
}

async function ask({ url }: Target, body: string): Promise<Outcome> {
  const began = performance.now();
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    return { status: response.status };
  }
  const times: number[] = [];
  let [told, cached] = [0, 0];
  for await (const data of eventData(response.body)) {
    if (data === "[DONE]") break;
    const { choices = [], usage } = JSON.parse(data);
    if (choices[0]?.delta?.content) times.push(performance.now());
    if (usage) {
      told = usage.completion_tokens;
      cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
    }
  }
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  const whole = performance.now() - began;
  return { first: (times[0] ?? began) - began, gaps, whole, tokens: told || times.length, cached };
}

interface Round {
  readonly tokensPerSecond: number;
  readonly outcomes: readonly Outcome[];
}

async function load(target: Target, round: number): Promise<Round> {
  const bodies = await Promise.all(Array.from({ length: requests }, (_, i) => bodyOf(i, target, round)));
  const began = performance.now();
  const outcomes =
    values.rate === undefined ? await closedLoop(target, bodies) : await byChance(target, bodies);
  const said = outcomes.reduce((sum, outcome) => sum + ("tokens" in outcome ? outcome.tokens : 0), 0);
  return { tokensPerSecond: (said / (performance.now() - began)) * 1000, outcomes };
}

/** Each client asks when it is answered. */
async function closedLoop(target: Target, bodies: readonly string[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const left = bodies.values();
  const client = async () => {
    for (const body of left) outcomes.push(await ask(target, body));
  };
  await Promise.all(Array.from({ length: Number(values.clients) }, client));
  return outcomes;
}

/** Requests come as by a Poisson process. */
async function byChance(target: Target, bodies: readonly string[]): Promise<Outcome[]> {
  const random = mulberry32(1);
  const running: Promise<Outcome>[] = [];
  for (const body of bodies) {
    await wait((-Math.log(1 - random()) / Number(values.rate)) * 1000);
    running.push(ask(target, body));
  }
  return Promise.all(running);
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

function summary(rounds: readonly Round[]) {
  const outcomes = rounds.flatMap((round) => round.outcomes);
  const answered = outcomes.filter((outcome) => "first" in outcome);
  const spread = (numbers: readonly number[]) => {
    const sorted = numbers.toSorted((one, other) => one - other);
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => Math.round(quantile(sorted, share)));
    return { p50, p95, p99 };
  };
  return {
    tokensPerSecond: Number(median(rounds.map((round) => round.tokensPerSecond)).toFixed(1)),
    firstTokenMs: spread(answered.map(({ first }) => first)),
    gapMs: spread(answered.flatMap(({ gaps }) => gaps)),
    answerMs: spread(answered.map(({ whole }) => whole)),
    answered: answered.length,
    refused: outcomes.length - answered.length,
    short: answered.filter((outcome) => outcome.tokens !== tokens).length,
    cachedTokens: answered.reduce((sum, { cached }) => sum + cached, 0),
  };
}

/** Counters of ours that say what was not computed. */
async function counters(url: string): Promise<string[]> {
  const response = await fetch(`${url}/metrics`).catch(() => undefined);
  const text = response?.ok ? await response.text() : "";
  return text
    .split("\n")
    .filter((line) => /^llava:(tower_images|vision_cache_hits|prefix_cache|num_preemptions)/.test(line));
}

const started =
  values.url === undefined
    ? await startServing([values.model, "--no-log", ...values.serve.split(" ").filter(Boolean)])
    : undefined;
const targets: Target[] = [{ name: "first", url: started?.url ?? values.url!, model: values.model }];
if (values.beside !== undefined) {
  const at = values.beside.indexOf("=");
  targets.push({ name: "beside", url: values.beside.slice(0, at), model: values.beside.slice(at + 1) });
}
try {
  const rounds = new Map(targets.map((target): [Target, Round[]] => [target, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const target of targets) rounds.get(target)!.push(await load(target, round));
  const results = targets.map((target) => ({ ...target, ...summary(rounds.get(target)!) }));
  if (values.json) console.log(JSON.stringify(results));
  else {
    for (const { name, url, model, ...measured } of results) {
      console.log(`${name}: ${model} at ${url}`);
      for (const [what, value] of Object.entries(measured)) console.log(`  ${what} ${JSON.stringify(value)}`);
    }
    const [own, other] = results;
    if (other)
      console.log(
        `first / beside ${(own!.tokensPerSecond / other.tokensPerSecond).toFixed(2)} by tokens a second`,
      );
    for (const line of await counters(targets[0]!.url)) console.log(`  ${line}`);
  }
} finally {
  started?.[Symbol.dispose]();
}
