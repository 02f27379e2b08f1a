/**
 * Two processes with sharded states and with sharded weights, with gathers that are begun ahead and without: the same losses and
 * the same result, to the last bit; and no tensor more after the last step than after the second. node proofs/check-sharded-steps.ts
 * [--steps 100]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inProcesses } from "../test/support/process-ranks.ts";
import type { Steps } from "../test/support/rank-tasks.ts";
import { rowsRecipe, stages } from "../test/support/training-rows.ts";

const { values } = parseArgs({ options: { steps: { type: "string", default: "100" } } });
const folder = mkdtempSync(join(tmpdir(), "llava-steps-"));
try {
  for (const [stage, fields] of Object.entries({
    full: stages["full"],
    all: stages["all"],
    lora: stages["lora"],
  })) {
    const seen = new Set<string>();
    for (const sharding of ["states", "weights"] as const)
      for (const isEager of [false, true]) {
        const recipe = rowsRecipe(join(folder, `${stage}-${sharding}-${isEager}`), {
          ...{ ...fields, sharding, accumulation: 2, dtype: "bfloat16" },
          ...{ maxSteps: Number(values.steps), checkpoint: { every: 1e6 } },
        });
        const ranks = await inProcesses<Steps>(2, "steps", { recipe, isEager });
        const grown = ranks.map(({ live }) => live.at(-1)! - live[1]!);
        seen.add(JSON.stringify([ranks[0]!.losses, ranks[0]!.result]));
        console.log(
          `${stage}, ${sharding}${isEager ? ", nothing gathered ahead" : ""}: loss ${ranks[0]!.losses.at(-1)}, ` +
            `result ${ranks[0]!.result?.slice(0, 16)}, ${grown.join(" and ")} tensors more after ${values.steps} steps`,
        );
        if (grown.some((tensors) => tensors > 0)) process.exitCode = 1;
      }
    console.log(`${stage}: ${seen.size === 1 ? "the same to the last bit" : "DIFFERENT RESULTS"}`);
    if (seen.size > 1) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
