/**
 * Memory of each of several processes that train a random model, above the process itself, on Linux: while the model is loaded,
 * while it trains, and of the first while it writes the result. Bounds: while loading, a part of the float32 weights and two
 * layers, and the vision tower, which is whole; while training, a tenth beside what `llava plan` says; while writing, two units
 * of weights. node proofs/sharded-memory.ts [--dtype float32] [--parts]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readJsonObject } from "../src/files/index.ts";
import { createLlava, parseLlavaConfig } from "../src/models/index.ts";
import { planMemory, recipeSizes } from "../src/training/index.ts";
import { inProcesses } from "../test/support/process-ranks.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import type { RunMemory } from "../test/support/rank-tasks.ts";
import { rowsRecipe } from "../test/support/training-rows.ts";

const { values } = parseArgs({
  options: { dtype: { type: "string", default: "float32,bfloat16" }, parts: { type: "boolean" } },
});
/** Of the tests' rows, about. */
const ROWS = { text: 40, supervised: 12, images: 1 };
const MEBI = 2 ** 20;
/** Of what else happens in a process meanwhile. */
const ASIDE = 8;

// Freed memory is given back, so that what is resident is what is used.
process.env["MALLOC_MMAP_THRESHOLD_"] = "65536";
process.env["MALLOC_TRIM_THRESHOLD_"] = "131072";
const folder = mkdtempSync(join(tmpdir(), "llava-memory-"));
try {
  const text = {
    ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 20, vocab_size: 8192 },
    ...{ num_attention_heads: 9, num_key_value_heads: 3 },
  };
  const model = writeRandomCheckpoint(join(folder, "model"), 1, { text, dtype: "bfloat16" });
  const config = join(model, "config.json");
  const { languageModel, projector, visionTower } = createLlava(
    parseLlavaConfig(readJsonObject(config), config),
  );
  const elements = (...modules: { parameters(): { elements: number }[] }[]): number =>
    modules.flatMap((module) => module.parameters()).reduce((sum, { elements }) => sum + elements, 0);
  const [weights, layer] = [elements(languageModel, projector), elements(languageModel.layers[0]!)];
  const outside = elements(languageModel) - elements(...languageModel.layers);
  console.log(`${(weights / 1e6).toFixed(1)} million weights that learn`);
  let failed = false;
  for (const dtype of (["float32", "bfloat16"] as const).filter((each) => values.dtype.includes(each)))
    for (const [ranks, sharding] of [
      [1, "states"],
      [2, "states"],
      [4, "states"],
      [1, "weights"],
      [2, "weights"],
      [4, "weights"],
    ] as const) {
      const recipe = rowsRecipe(join(folder, `${ranks}-${sharding}-${dtype}`), {
        ...{ model, batchSize: 4, train: ["projector", "languageModel"], sharding, dtype },
        ...{ maxSteps: 2, checkpoint: { every: 100 }, activationCheckpointing: true },
      });
      const all = await inProcesses<RunMemory>(ranks, "memory", recipe);
      const worst = (of: keyof RunMemory): number => Math.max(...all.map((rank) => rank[of]));
      const plan = planMemory(await recipeSizes(recipe), recipe, { devices: ranks, rows: ROWS });
      const apart = ["process", "allocator"]; // neither is measured here
      const planned = plan.parts.reduce(
        (sum, { name, bytes }) => sum + (apart.includes(name) ? 0 : bytes / MEBI),
        0,
      );
      const loading = (4 * (weights / ranks + 2 * layer + elements(visionTower))) / MEBI + ASIDE;
      const writing = (2 * 4 * Math.max(layer, outside)) / MEBI + ASIDE;
      const mib = (value: number): string => value.toFixed(0);
      const off = worst("training") / planned - 1;
      failed ||= Math.abs(off) > 0.1 || worst("loading") > loading || all[0]!.writing > writing;
      console.log(
        `${ranks} × ${sharding} in ${dtype}: loading ${mib(worst("loading"))} of ${mib(loading)} MiB, training ${mib(worst("training"))} MiB, ` +
          `planned ${mib(planned)} (${(100 * off).toFixed(1)} %), writing ${mib(all[0]!.writing)} of ${mib(writing)} MiB`,
      );
      if (values.parts)
        for (const { name, bytes } of plan.parts) console.log(`    ${name}: ${mib(bytes / MEBI)} MiB`);
    }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}
