/**
 * What prompts of very different lengths cost together and alone, whole answers of the default model:
 *
 *   node bench/ragged-batch.ts [--lengths 40,2000] [--tokens 32] [--repeats 5] [--dtype float32] [--json]
 *
 * Each round answers every prompt alone and then all at once; the ratio is that of the time together to the sum of the times
 * alone, its median over the rounds. Processor time is told beside it, for machines that are busy.
 */
import { parseArgs } from "node:util";
import { generateBatch } from "../src/generation/index.ts";
import { loadBuiltin } from "../src/pretrained/index.ts";
import { defaultModel, resolveModel } from "../src/setup/index.ts";
import { type DType, numThreads } from "../src/torch/index.ts";
import { median } from "./peer.ts";

const { values: flags } = parseArgs({
  options: {
    lengths: { type: "string", default: "40,2000" },
    tokens: { type: "string", default: "32" },
    repeats: { type: "string", default: "5" },
    dtype: { type: "string", default: "float32" },
    json: { type: "boolean", default: false },
  },
});
const lengths = flags.lengths.split(",").map(Number);
const maxTokens = Number(flags.tokens);
const resolved = await resolveModel(defaultModel);
if (resolved.kind !== "builtin") throw new Error("the default model is built in");
using pretrained = loadBuiltin(resolved, { dtype: flags.dtype as DType });
const prompts = lengths.map((length, row) => ({
  inputIds: Array.from({ length }, (_, i) => 100 + (((i + row) * 7919) % 40_000)),
  maxTokens,
  ignoreEos: true,
}));

interface Cost {
  readonly milliseconds: number;
  readonly processor: number;
}

async function answer(asked: typeof prompts): Promise<Cost> {
  const before = process.cpuUsage();
  const started = performance.now();
  let tokens = 0;
  for await (const { part } of generateBatch(pretrained, asked))
    if (part.type === "finish") tokens += part.output.tokenIds.length;
  if (tokens !== asked.length * maxTokens) throw new Error(`${tokens} tokens were answered`);
  const { user, system } = process.cpuUsage(before);
  return { milliseconds: performance.now() - started, processor: (user + system) / 1000 };
}

const rounds: { readonly alone: readonly Cost[]; readonly together: Cost }[] = [];
for (let round = -1; round < Number(flags.repeats); round++) {
  const alone: Cost[] = [];
  for (const prompt of prompts) alone.push(await answer([prompt]));
  const together = await answer(prompts);
  if (round >= 0) rounds.push({ alone, together }); // the first round warms up
}
const ratio = (of: keyof Cost): number =>
  median(rounds.map(({ alone, together }) => together[of] / alone.reduce((sum, cost) => sum + cost[of], 0)));
const result = {
  bench: "ragged-batch",
  lengths,
  maxTokens,
  dtype: flags.dtype,
  threads: numThreads(),
  aloneMilliseconds: lengths.map((_, row) => median(rounds.map(({ alone }) => alone[row]!.milliseconds))),
  togetherMilliseconds: median(rounds.map(({ together }) => together.milliseconds)),
  ratio: ratio("milliseconds"),
  processorRatio: ratio("processor"),
};
if (flags.json) console.log(JSON.stringify(result));
else {
  const alone = result.aloneMilliseconds.map((time) => `${time.toFixed(0)} ms`).join(" and ");
  console.log(
    `prompts of ${lengths.join(" and ")} tokens, answers of ${maxTokens}, ${flags.dtype}, ${result.threads} threads: ` +
      `${alone} alone, ${result.togetherMilliseconds.toFixed(0)} ms together, ${result.ratio.toFixed(2)} of the sum ` +
      `(${result.processorRatio.toFixed(2)} of the processor time)`,
  );
}
