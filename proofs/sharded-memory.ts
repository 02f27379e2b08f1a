/**
 * Memory of each of several processes that train a random model of some 40 million weights, above the process itself: once the
 * model is loaded, and while it trains. Expected are 16 bytes of a weight for each process's part, and the whole weights where
 * they stay for a step; what `llava plan` says stands beside it. node proofs/sharded-memory.ts
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJsonObject } from "../src/files/index.ts";
import { createLlava, parseLlavaConfig } from "../src/models/index.ts";
import { planMemory, recipeSizes } from "../src/training/index.ts";
import { inProcesses } from "../test/support/process-ranks.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import { rowsRecipe } from "../test/support/training-rows.ts";

/** MiB beyond what is expected: activations, gathered layers, gradients under way. */
const ALLOWED = 260;
/** Of the tests' rows, about. */
const ROWS = { text: 40, supervised: 12, images: 1 };

// Freed memory is given back, so that what is resident is what is used.
process.env["MALLOC_MMAP_THRESHOLD_"] = "65536";
process.env["MALLOC_TRIM_THRESHOLD_"] = "131072";
const folder = mkdtempSync(join(tmpdir(), "llava-memory-"));
try {
  const text = {
    ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 12 },
    ...{ num_attention_heads: 9, num_key_value_heads: 3 },
  };
  const model = writeRandomCheckpoint(join(folder, "model"), 1, { text, dtype: "bfloat16" });
  const config = join(model, "config.json");
  const { languageModel, projector } = createLlava(parseLlavaConfig(readJsonObject(config), config));
  const weights = [languageModel, projector]
    .flatMap((part) => part.parameters())
    .reduce((sum, { elements }) => sum + elements, 0);
  console.log(`${(weights / 1e6).toFixed(1)} million weights that learn`);
  let failed = false;
  for (const [ranks, sharding] of [
    [1, "none"],
    [2, "states"],
    [2, "weights"],
    [4, "weights"],
  ] as const) {
    const recipe = rowsRecipe(join(folder, `${ranks}-${sharding}`), {
      ...{ model, batchSize: 2, train: ["projector", "languageModel"], sharding },
      ...{ maxSteps: 2, checkpoint: { every: 100 }, activationCheckpointing: true },
    });
    const all = await inProcesses<{ loaded: number; peak: number }>(ranks, "memory", recipe);
    const worst = (of: "loaded" | "peak"): number => Math.max(...all.map((rank) => rank[of]));
    const perWeight = 16 / ranks + (sharding === "states" ? 4 : 0);
    const expected = (weights * perWeight) / 2 ** 20;
    const plan = planMemory(await recipeSizes(recipe), recipe, { devices: ranks, rows: ROWS });
    const apart = ["process", "allocator"]; // neither is measured here
    const planned = plan.parts.reduce((sum, { name, bytes }) => sum + (apart.includes(name) ? 0 : bytes), 0);
    failed ||= worst("peak") > expected + ALLOWED;
    console.log(
      `${ranks} × ${sharding}: ${worst("loaded").toFixed(0)} MiB loaded, at most ${worst("peak").toFixed(0)} MiB; ` +
        `expected ${expected.toFixed(0)} and up to ${ALLOWED} more; planned ${(planned / 2 ** 20).toFixed(0)} MiB`,
    );
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}
