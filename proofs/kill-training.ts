/**
 * Kills training again and again, at random moments and while checkpoints are written, and compares what comes out with an
 * undisturbed run, bit by bit: node proofs/kill-training.ts [kills, 30] [seed, 1] [stage, full | projector | lora]
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { mulberry32 } from "../src/random/index.ts";
import { silentProgress } from "../src/setup/index.ts";
import { type Recipe, runRecipe } from "../src/training/index.ts";
import { killAgainAndAgain } from "../test/support/kill-run.ts";
import { finalBytes, rowsRecipe, stages } from "../test/support/training-rows.ts";

const [kills = "30", seed = "1", stage = "full"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "llava-kill-"));
const steps = 4 * Number(kills) + 8;
const recipe = (name: string): Recipe =>
  rowsRecipe(join(folder, name), {
    ...stages[stage],
    batchSize: 2,
    maxSteps: steps,
    checkpoint: { every: 1 },
  });
const losses = ({ output }: Recipe): string[] =>
  readFileSync(join(output, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { step: number; loss: number })
    .map(({ step, loss }) => `${step} ${loss}`);
try {
  const started = performance.now();
  const [killed, whole] = [recipe("killed"), recipe("whole")];
  const done = await killAgainAndAgain(killed, Number(kills), mulberry32(Number(seed)));
  await runRecipe(whole, { progress: silentProgress, report: () => {} });
  const sameWeights = isDeepStrictEqual(finalBytes(killed), finalBytes(whole));
  const sameLosses = isDeepStrictEqual(losses(killed), losses(whole));
  const seconds = (performance.now() - started) / 1000;
  console.log({ stage, ...done, steps, sameWeights, sameLosses, seconds: Math.round(seconds) });
  process.exitCode = sameWeights && sameLosses ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
