/**
 * Load on a server of OpenAI's chat completions: streams from several clients at once, or as they come by chance, with images of
 * their own or shared ones. Times are of the events as they arrive; every answer's usage is checked.
 *
 *   node bench/serving.ts [--model llava-smol-135m | --tokenizer FOLDER] [--serve "--running 8"] [--url URL]
 *     [--peer transformers --python PYTHON | --peer llama.cpp --program PROGRAM | --peer no-cache|one-by-one | --beside URL=MODEL]
 *     [--dtype bfloat16] [--peer-dtype float32] [--clients 8 | --rate 2] [--requests 32] [--tokens 128]
 *     [--images own|none|N] [--frames 1] [--questions 1] [--rounds 3] [--json]
 *
 * Without --url it starts `llava serve` itself. A peer takes turns with it in rounds, so that a busy machine slows both:
 * `transformers serve`; llama.cpp's server, where PROGRAM is llama-server or a Python that has xllamacpp; our own that keeps
 * nothing, or also answers one after another; or any that runs already. FOLDER holds the tokenizer of a Llama 2 or Vicuna: a random LLaVA-1.5
 * in small is then written that all of them load, at the type that each is given. --images N shares N images among all requests,
 * --questions asks so many of each, and --frames has a request ask about so many of them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { defaultModel } from "../src/setup/index.ts";
import { median } from "./peer.ts";
import { writeGgufPair, writeServedCheckpoint } from "./serving/checkpoint.ts";
import {
  bodyOf,
  byChance,
  closedLoop,
  isAnswered,
  type Outcome,
  quantile,
  type Target,
} from "./serving/load.ts";
import {
  metricsOf,
  processorSeconds,
  type Server,
  startLlamaCpp,
  startOwn,
  startTransformers,
} from "./serving/servers.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: defaultModel },
    tokenizer: { type: "string" },
    serve: { type: "string", default: "" },
    url: { type: "string" },
    peer: { type: "string" },
    python: { type: "string", default: process.env["PYTHON"] ?? "python3" },
    program: { type: "string", default: "llama-server" },
    beside: { type: "string" },
    dtype: { type: "string" },
    "peer-dtype": { type: "string" },
    clients: { type: "string", default: "8" },
    rate: { type: "string" },
    requests: { type: "string", default: "32" },
    tokens: { type: "string", default: "128" },
    images: { type: "string", default: "own" },
    frames: { type: "string", default: "1" },
    questions: { type: "string", default: "1" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const numbers = ["requests", "tokens", "questions", "clients", "frames"] as const;
const [requests, tokens, questions, clients, frames] = numbers.map((name) => Number(values[name])) as [
  number,
  number,
  number,
  number,
  number,
];

const asked = [
  "What is in this photo?",
  "How many people are there?",
  "Where was it taken, and when?",
  "What happens next?",
  "Describe the colours.",
];

function body(index: number, target: Target, round: number): Promise<string> {
  const about = Math.floor(index / questions);
  const shared = Number(values.images);
  const seed = values.images === "own" ? about + round * requests : about % (shared || 1);
  const images =
    values.images === "none" ? [] : Array.from({ length: frames }, (_, frame) => seed * frames + frame);
  return bodyOf(target, { text: `${asked[index % asked.length]} (${index % questions})`, images, tokens });
}

interface Round {
  readonly tokensPerSecond: number;
  /** Of processors; not a number for what runs elsewhere. */
  readonly tokensPerProcessorSecond: number;
  readonly outcomes: readonly Outcome[];
}

async function load(target: Target & Partial<Server>, round: number): Promise<Round> {
  const bodies = await Promise.all(Array.from({ length: requests }, (_, i) => body(i, target, round)));
  const taken = (): number => (target.child ? processorSeconds(target.child) : Number.NaN);
  const [began, before] = [performance.now(), taken()];
  const outcomes =
    values.rate === undefined
      ? await closedLoop(target, bodies, clients)
      : await byChance(target, bodies, Number(values.rate));
  const said = outcomes.reduce((sum, outcome) => sum + (isAnswered(outcome) ? outcome.tokens : 0), 0);
  const tokensPerSecond = (said / (performance.now() - began)) * 1000;
  return { tokensPerSecond, tokensPerProcessorSecond: said / (taken() - before), outcomes };
}

function summary(rounds: readonly Round[]) {
  const outcomes = rounds.flatMap((round) => round.outcomes);
  const answered = outcomes.filter(isAnswered);
  const spread = (times: readonly number[]) => {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => Math.round(quantile(times, share)));
    return { p50, p95, p99 };
  };
  return {
    tokensPerSecond: Number(median(rounds.map((round) => round.tokensPerSecond)).toFixed(1)),
    tokensPerProcessorSecond: Number(
      median(rounds.map((round) => round.tokensPerProcessorSecond)).toFixed(1),
    ),
    firstTokenMs: spread(answered.map(({ first }) => first)),
    gapMs: spread(answered.flatMap(({ gaps }) => gaps)),
    answerMs: spread(answered.map(({ whole }) => whole)),
    answered: answered.length,
    refused: outcomes.length - answered.length,
    // A peer that tells no usage tells pieces of text, which may be fewer.
    short: answered.filter((outcome) => outcome.tokens !== tokens).length,
    cachedTokens: answered.reduce((sum, { cached }) => sum + cached, 0),
  };
}

async function startPeer(kind: string, model: string, folder: string): Promise<Server> {
  const type = values["peer-dtype"] ?? values.dtype;
  if (kind === "transformers")
    return await startTransformers(model, { python: values.python, dtype: type ?? "auto" });
  if (kind === "no-cache") return await startOwn(model, [...ownArgs(type), "--no-cache"]);
  if (kind === "one-by-one") return await startOwn(model, [...ownArgs(type), "--running", "1", "--no-cache"]);
  if (kind !== "llama.cpp")
    throw new Error(`--peer ${kind}: expected transformers, llama.cpp, no-cache or one-by-one`);
  const of = { float32: "f32", float16: "f16", bfloat16: "bf16" } as const;
  const pair = await writeGgufPair(model, join(folder, "gguf"), of[(type ?? "float32") as keyof typeof of]);
  return await startLlamaCpp(pair, {
    program: values.program,
    threads: availableParallelism(),
    slots: values.rate === undefined ? clients : 8,
    context: 512 + tokens + frames * 64,
  });
}

const ownArgs = (dtype: string | undefined): string[] => [
  ...values.serve.split(" ").filter(Boolean),
  ...(dtype === undefined ? [] : ["--dtype", dtype]),
];

const folder = mkdtempSync(join(tmpdir(), "llava-serving-"));
try {
  await using servers = new AsyncDisposableStack();
  const model = values.tokenizer === undefined ? values.model : join(folder, "model");
  if (values.tokenizer !== undefined) writeServedCheckpoint(model, values.tokenizer);
  const targets: (Target & Partial<Server>)[] = [
    values.url === undefined
      ? servers.use(await startOwn(model, ownArgs(values.dtype)))
      : { name: "first", url: values.url, model: values.model },
  ];
  if (values.peer !== undefined) targets.push(servers.use(await startPeer(values.peer, model, folder)));
  if (values.beside !== undefined) {
    const at = values.beside.indexOf("=");
    targets.push({
      ...{ name: "beside", url: values.beside.slice(0, at), model: values.beside.slice(at + 1) },
    });
  }
  const rounds = new Map(targets.map((target): [Target, Round[]] => [target, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const target of targets) rounds.get(target)!.push(await load(target, round));
  const results = targets.map((target) => ({ name: target.name, ...summary(rounds.get(target)!) }));
  if (values.json) console.log(JSON.stringify(results));
  else await tell(results, targets[0]!);
} finally {
  rmSync(folder, { recursive: true });
}

async function tell(
  results: readonly ({ readonly name: string } & ReturnType<typeof summary>)[],
  target: Target,
): Promise<void> {
  for (const { name, ...measured } of results) {
    console.log(name);
    for (const [what, value] of Object.entries(measured)) console.log(`  ${what} ${JSON.stringify(value)}`);
  }
  const own = results[0]!;
  for (const other of results.slice(1)) {
    const over = (of: (one: ReturnType<typeof summary>) => number): string =>
      (of(own) / of(other)).toFixed(2);
    console.log(
      `${own.name} / ${other.name}: ${over((one) => one.tokensPerSecond)} by tokens a second, ${over((one) => one.tokensPerProcessorSecond)} by tokens a second of processors, ${over((one) => one.gapMs.p95 ?? Number.NaN)} by p95 of gaps`,
    );
  }
  const counted = await metricsOf(target).catch(() => new Map<string, number>());
  for (const [name, value] of counted)
    if (/^(tower_images|vision_cache_hits|prefix_cache|num_preemptions)/.test(name))
      console.log(`  ${name} ${value}`);
}
