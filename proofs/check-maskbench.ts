// Are answers held to their schemas? Runs MaskBench, of the folder maskbench/data of
// https://github.com/guidance-ai/jsonschemabench, which holds 11,306 schemas with valid and invalid answers:
//   node proofs/check-maskbench.ts jsonschemabench/maskbench/data [--model llava-smol-135m] [--every 10]
// No invalid answer may be taken. Reports schemas that are refused, valid answers that are refused, and times of compiling and
// of masks; --every takes each so many-th schema only.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createProgress } from "../src/cli/index.ts";
import { LlavaError } from "../src/errors.ts";
import { openModelProcessor } from "../src/pretrained/index.ts";
import { llguidanceCompiler } from "../src/serving/constraints/index.ts";
import type { Matcher } from "../src/serving/engine/index.ts";
import { ensureLlguidance, resolveModel } from "../src/setup/index.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string", default: "llava-smol-135m" },
    every: { type: "string", default: "1" },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error("usage: node proofs/check-maskbench.ts FOLDER [--model M] [--every N]");
  process.exit(2);
}

interface Schema {
  readonly schema: unknown;
  readonly tests: readonly { readonly valid: boolean; readonly data: unknown }[];
}

await ensureLlguidance({ report: console.error });
const { tokenizer } = await openModelProcessor(await resolveModel(flags.model, { weights: false }));
const compiler = await llguidanceCompiler({
  tokenizer,
  size: tokenizer.vocabSize,
  endId: tokenizer.eosId!,
});

const names = readdirSync(folder).filter((_, index) => index % Number(flags.every) === 0);
const compiling: number[] = [];
const masking: number[] = [];
const counts = { refused: 0, right: 0, validTaken: 0, validRefused: 0, invalidTaken: 0, invalidRefused: 0 };
const wrong: string[] = [];
const bar = createProgress({ label: "schemas", unit: "schemas", total: names.length });
for (const name of names) {
  bar.increment();
  await look(name, JSON.parse(readFileSync(join(folder, name), "utf8"), asWritten) as Schema);
}
bar.stop();

console.log(`${names.length} schemas: ${counts.right} all right, ${counts.refused} refused`);
console.log(`valid answers: ${counts.validTaken} taken, ${counts.validRefused} refused`);
console.log(`invalid answers: ${counts.invalidTaken} taken, ${counts.invalidRefused} refused`);
const ofCompiling = [0.5, 0.95, 1].map((share) => quantile(compiling, share).toFixed(1));
console.log(
  `compiling, ms: median ${ofCompiling[0]}, 95 % within ${ofCompiling[1]}, longest ${ofCompiling[2]}`,
);
const mean = masking.reduce((sum, time) => sum + time, 0) / masking.length;
const ofMasks = [0.5, 0.99, 1].map((share) => (1000 * quantile(masking, share)).toFixed(0));
console.log(
  `${masking.length} masks, µs: mean ${(1000 * mean).toFixed(0)}, median ${ofMasks[0]}, 99 % within ${ofMasks[1]}, longest ${ofMasks[2]}`,
);
for (const line of wrong) console.error(line);
if (counts.invalidTaken > 0) process.exitCode = 1;

/** Of numbers the text is kept: as an integer, 4.0 is another than 4. */
function asWritten(_: string, value: unknown, { source }: { source?: string } = {}): unknown {
  return typeof value === "number" && source !== undefined
    ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)
    : value;
}

async function look(name: string, { schema, tests }: Schema): Promise<void> {
  const start = performance.now();
  try {
    (await compiler.compile({ type: "json-schema", schema }))[Symbol.dispose]();
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
    counts.refused++;
    return;
  } finally {
    compiling.push(performance.now() - start);
  }
  let isRight = true;
  for (const { valid, data } of tests) {
    using matcher = await compiler.compile({ type: "json-schema", schema });
    const taken = takes(matcher, tokenizer.encode(JSON.stringify(data)));
    if (valid) counts[taken ? "validTaken" : "validRefused"]++;
    else counts[taken ? "invalidTaken" : "invalidRefused"]++;
    if (taken && !valid) wrong.push(`${name}: an invalid answer is taken`);
    isRight &&= taken === valid;
  }
  if (isRight) counts.right++;
}

function takes(matcher: Matcher, ids: readonly number[]): boolean {
  try {
    for (const id of [...ids, tokenizer.eosId!]) {
      const start = performance.now();
      const mask = matcher.mask();
      masking.push(performance.now() - start);
      if (((mask[id >> 5]! >>> (id & 31)) & 1) === 0) return false;
      if (id !== tokenizer.eosId) matcher.accept(id);
    }
    return true;
  } catch (error) {
    if (error instanceof LlavaError) return false;
    throw error;
  }
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
