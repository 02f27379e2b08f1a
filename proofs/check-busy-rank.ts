/**
 * Two processes of which the first is busy, alone, for three times as long as one waits for another inside a step: while features
 * are computed, behind an evaluation, while a checkpoint and while the result is written. Nothing may fail.
 * node proofs/check-busy-rank.ts [--patience SECONDS]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inProcesses } from "../test/support/process-ranks.ts";
import { fixtures, rowsRecipe, stages } from "../test/support/training-rows.ts";

const { values } = parseArgs({ options: { patience: { type: "string", default: "10" } } });
process.env["LLAVA_TEST_PATIENCE"] = values.patience;
const folder = mkdtempSync(join(tmpdir(), "llava-busy-"));
try {
  for (const sharding of ["none", "weights"] as const) {
    const recipe = rowsRecipe(join(folder, sharding), {
      ...{ ...stages["full"], sharding, maxSteps: 2, checkpoint: { every: 1 } },
      features: { cache: join(folder, `features-${sharding}`) },
      evaluation: {
        ...{ rows: join(fixtures, "training/rows.json"), images: join(fixtures, "llava/images"), every: 1 },
      },
    });
    const given = { recipe, seconds: 3 * Number(values.patience) };
    const [first] = await inProcesses<{ step: number; phases: readonly string[] }>(2, "busy", given);
    if (first!.step !== 2 || first!.phases.length !== 4) process.exitCode = 1;
    console.log(
      `sharding ${sharding}: ${first!.step} steps; busy for ${given.seconds} s in each of ${first!.phases.join(", ")}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
