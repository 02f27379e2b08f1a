/**
 * Writes random LLaVA and LLaVA-NeXT checkpoints of several families in the original layout and from there in Hugging Face's, and
 * has vLLM answer with what that leaves: its greedy tokens and the log probabilities of the likeliest at each beside this
 * project's.
 *
 *   node proofs/check-vllm.ts PYTHON [--deviation 0.02] [FIXTURE…]
 *
 * Weights are normal with the deviation, as in transformers' models before they learn. PYTHON is an interpreter that has vLLM (its build for CPUs will do).
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeRandomModel } from "../bench/random-checkpoint.ts";
import type { JsonObject } from "../src/files/index.ts";
import { LocalModel, traceStages } from "../src/generation/index.ts";
import { checkReaders, convertModel, loadCheckpoint, type WrittenLayout } from "../src/pretrained/index.ts";
import { aten, inference } from "../src/torch/index.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { deviation: { type: "string", default: "0.02" } },
});
const [python, ...named] = positionals;
if (python === undefined) throw new Error("usage: node proofs/check-vllm.ts PYTHON [FIXTURE…]");
const fixtures = fileURLToPath(new URL("../test/fixtures/", import.meta.url));
const cases =
  named.length > 0
    ? named
    : [
        "llava/llama",
        "llava/qwen2",
        "llava-next/llama",
        "llava-next/llama3",
        "llava-next/mistral",
        "llava-next/qwen2",
      ];
const TOKENS = 8;
const LIKELIEST = 20;
const TOLERANCE = 1e-4;
/** Larger than the fixtures': its attention has kernels for heads of 64 features. */
const SIZES = { hidden_size: 128, num_attention_heads: 2, intermediate_size: 256 };
const folder = mkdtempSync(join(tmpdir(), "llava-vllm-"));

/** A checkpoint as the fixture is, of larger layers and other random weights. */
function enlarge(fixture: string, name: string): string {
  const larger = join(folder, name);
  mkdirSync(larger);
  for (const file of readdirSync(fixture))
    if (/json$|jinja$/.test(file) && file !== "config.json")
      copyFileSync(join(fixture, file), join(larger, file));
  const config = JSON.parse(readFileSync(join(fixture, "config.json"), "utf8")) as JsonObject;
  const [text, vision] = ["text_config", "vision_config"].map((part) => {
    const { head_dim: _, ...fields } = config[part] as JsonObject;
    return { ...fields, ...SIZES };
  });
  const keyValueHeads = Math.min(2, Number((text as JsonObject)["num_key_value_heads"] ?? 2));
  writeRandomModel(
    larger,
    {
      ...config,
      text_config: { ...text, num_key_value_heads: keyValueHeads },
      vision_config: { ...vision, projection_dim: SIZES.hidden_size },
    },
    Number(flags.deviation),
  );
  return larger;
}

async function convert(source: string, to: WrittenLayout, name: string): Promise<string> {
  using pretrained = await loadCheckpoint(source);
  const output = join(folder, name);
  convertModel(pretrained, { to, output, maxShardBytes: 500_000 });
  return output;
}

interface Step {
  readonly token: number;
  readonly logprobs: Readonly<Record<string, number>>;
}

interface Answer {
  /** How many the prompt has, with the image's. */
  readonly ids: number;
  readonly steps: readonly Step[];
}

/** Greedy tokens with the log probabilities of those that are likeliest in their places. */
async function ownAnswer(source: string, image: string, prompt: string): Promise<Answer> {
  using pretrained = await loadCheckpoint(source);
  using inputs = await new LocalModel(pretrained, { id: source }).prepare({ raw: prompt, images: [image] });
  const ids = [...inputs.inputIds];
  const steps: Step[] = [];
  for (let step = 0; step < TOKENS; step++) {
    const logprobs = inference(() => {
      const logits = traceStages(pretrained.model, { ...inputs, inputIds: ids }).get("logits")!;
      return aten.logSoftmax(logits.slice(1, -1), -1).toNumbers();
    });
    const order = [...logprobs.keys()].sort((a, b) => logprobs[b]! - logprobs[a]!);
    ids.push(order[0]!);
    steps.push({
      token: order[0]!,
      logprobs: Object.fromEntries(order.slice(0, 2 * LIKELIEST).map((id) => [id, logprobs[id]!])),
    });
  }
  return { ids: inputs.inputIds.length, steps };
}

interface Case {
  readonly name: string;
  readonly checkpoint: string;
  readonly questions: readonly { readonly prompt: string; readonly image: string }[];
}

async function prepare(name: string): Promise<Case> {
  const plain = name.replace("/", "-");
  const source = enlarge(join(fixtures, name), plain);
  const original = await convert(source, "original", `${plain}-original`);
  const checkpoint = await convert(original, "hf", `${plain}-hf`);
  const [verdict] = checkReaders(checkpoint, ["vllm"]);
  if (!verdict!.isServed) throw new Error(`${name}: ${JSON.stringify(verdict!.findings)}`);
  const images = join(fixtures, name.split("/")[0]!, "images");
  const questions = readdirSync(images).map((image) => ({
    prompt: "USER: <image>\nWhat is it? ASSISTANT:",
    image: join(images, image),
  }));
  return { name, checkpoint, questions };
}

const tokensOf = (steps: readonly Step[]): string => steps.map(({ token }) => token).join(" ");

try {
  const prepared: Case[] = [];
  for (const name of cases) prepared.push(await prepare(name));
  const asked = join(folder, "asked.json");
  writeFileSync(asked, JSON.stringify({ cases: prepared, tokens: TOKENS, likeliest: LIKELIEST }));
  const script = join(import.meta.dirname, "check_vllm.py");
  // One process answers for all: importing vLLM takes longer than the answers.
  const printed = execFileSync(python, [script, asked], { stdio: ["ignore", "pipe", "pipe"] });
  const answered = JSON.parse(String(printed).trim().split("\n").at(-1)!) as Answer[][];
  for (const [index, { name, checkpoint, questions }] of prepared.entries())
    for (const [at, { prompt, image }] of questions.entries()) {
      const own = await ownAnswer(checkpoint, image, prompt);
      const theirs = answered[index]![at]!;
      const differences = theirs.steps.flatMap(({ logprobs }, step) =>
        Object.entries(logprobs).map(([id, logprob]) =>
          Math.abs(logprob - (own.steps[step]!.logprobs[id] ?? Number.NaN)),
        ),
      );
      const largest = Math.max(...differences);
      const areEqual = own.ids === theirs.ids && tokensOf(own.steps) === tokensOf(theirs.steps);
      const isGood = areEqual && largest <= TOLERANCE;
      if (!isGood) process.exitCode = 1;
      const greedy = areEqual ? "equal" : `${tokensOf(theirs.steps)} (own ${tokensOf(own.steps)})`;
      console.log(
        `${isGood ? "" : "WRONG "}${name}, ${basename(image)}: ${theirs.ids} tokens (own ${own.ids}), greedy ${greedy}, log probabilities differ by ${largest.toExponential(1)}`,
      );
    }
} finally {
  rmSync(folder, { recursive: true });
}
