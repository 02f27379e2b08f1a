/**
 * The calls that ranks make to each other: over random recipes the same on all ranks, and where one rank makes another one, all
 * end, told of which rank and after which step. node proofs/check-collectives.ts [--recipes 50] [--seed 1]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import fc from "fast-check";
import type { RecipeFields } from "../src/training/index.ts";
import { endsOf, inProcesses } from "../test/support/process-ranks.ts";
import type { Planted } from "../test/support/rank-tasks.ts";
import { fixtures, rowsRecipe, stages } from "../test/support/training-rows.ts";

const { values } = parseArgs({
  options: { recipes: { type: "string", default: "50" }, seed: { type: "string", default: "1" } },
});
const adapters = [
  stages["lora"]!,
  { ...stages["lora"], lora: { rank: 3, alpha: 5, rankStabilized: true, decomposed: true } },
  { ...stages["lora"], train: [], lora: { rank: 2, alpha: 4 } },
  { ...stages["lora"], frozenWeights: "int8" as const },
];
const held = { rows: join(fixtures, "training/rows.json"), images: join(fixtures, "llava/images") };
/** A rate at which losses are soon not finite, which each rank has to decide about alike. */
const diverging = {
  optimizer: { learningRate: 1e30 },
  schedule: { type: "constant" as const, warmupRatio: 0 },
  guards: { nonFinite: "skip" as const },
};
const recipes: fc.Arbitrary<Partial<RecipeFields>> = fc
  .record({
    stage: fc.constantFrom(...Object.values(stages), ...adapters),
    ends: fc.constantFrom({ maxSteps: 2 }, { maxSteps: 3, epochs: 1 }),
    more: fc.constantFrom({}, {}, diverging, { evaluation: { every: 2, ...held } }),
    fields: fc.record({
      accumulation: fc.integer({ min: 1, max: 3 }),
      batchSize: fc.integer({ min: 1, max: 6 }),
      sharding: fc.constantFrom("none" as const, "states" as const, "weights" as const),
      dtype: fc.constantFrom("float32" as const, "bfloat16" as const),
      activationCheckpointing: fc.boolean(),
      seed: fc.integer({ min: 0, max: 100 }),
    }),
  })
  .map(({ stage, ends, more, fields }) => ({ ...stage, ...fields, ...ends, ...more }));

/** Four ranks in groups of two, of which those recipes that shard anything have more kinds of calls. */
const inGroups = (fields: Partial<RecipeFields>): Partial<RecipeFields> =>
  fields.sharding === "none" ? fields : { ...fields, shardingGroup: 2 };

const folder = mkdtempSync(join(tmpdir(), "llava-collectives-"));
try {
  const drawn = fc.sample(recipes, { numRuns: Number(values.recipes), seed: Number(values.seed) });
  let failed = false;
  for (const ranks of [2, 3, 4]) {
    const given = drawn.map((fields, i) =>
      rowsRecipe(join(folder, `${ranks}-${i}`), {
        ...(ranks === 4 ? inGroups(fields) : fields),
        checkpoint: { every: 2 },
      }),
    );
    const all = await inProcesses<string[][]>(ranks, "sequences", given);
    const differ = given.filter((_, i) => new Set(all.map((own) => own[i]!.join("\n"))).size > 1);
    const [calls, kinds] = [all[0]!.flat(), new Set(all[0]!.map((own) => own.join("\n")))];
    console.log(
      `${ranks} ranks: ${given.length} recipes with ${kinds.size} sequences, ${calls.length} calls in all; ${differ.length} differ between ranks`,
    );
    for (const recipe of differ) console.log(JSON.stringify(recipe));
    failed ||= differ.length > 0;
  }
  const kinds: Planted[] = [
    "another type",
    "longer",
    "shorter",
    "one more",
    "one less",
    "a sum",
    "a scatter",
  ];
  for (const kind of kinds) {
    const began = performance.now();
    const ends = await endsOf(3, "differ", kind);
    const isTold = ends.every(
      ({ code, signal, lastLine }) =>
        code !== 0 &&
        signal !== "SIGABRT" &&
        /^llava: rank \d: stopping, since rank \d \(.+, after step 2\) .*has not made the same calls to the other ranks as rank 0$/.test(
          lastLine,
        ),
    );
    console.log(
      `${kind}: ${isTold ? "told" : "NOT TOLD"} after ${((performance.now() - began) / 1000).toFixed(1)} s: ${ends[0]!.lastLine}`,
    );
    failed ||= !isTold;
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}
