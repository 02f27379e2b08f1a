/**
 * Seconds of a training step of a random model of SmolLM2's width: with weights in units beside without, by one process; and by
 * two processes of one thread beside one of two. Kinds take turns. On idle cores, in about four minutes:
 * node bench/sharding.ts [--layers 4] [--rows 6] [--steps 5] [--rounds 3]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inProcesses } from "../test/support/process-ranks.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import type { Steps } from "../test/support/rank-tasks.ts";
import { rowsRecipe } from "../test/support/training-rows.ts";

const { values } = parseArgs({
  options: {
    layers: { type: "string", default: "4" },
    rows: { type: "string", default: "6" },
    steps: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "llava-sharding-"));
const kinds = {
  plain: { ranks: 1, threads: 2, sharding: "none" },
  "states in units": { ranks: 1, threads: 2, sharding: "states" },
  "weights in units": { ranks: 1, threads: 2, sharding: "weights" },
  "two processes": { ranks: 2, threads: 1, sharding: "none" },
  "two processes, states": { ranks: 2, threads: 1, sharding: "states" },
  "two processes, weights": { ranks: 2, threads: 1, sharding: "weights" },
} as const;
try {
  const text = {
    ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: Number(values.layers) },
    ...{ num_attention_heads: 9, num_key_value_heads: 3, vocab_size: 8192 },
  };
  const model = writeRandomCheckpoint(join(folder, "model"), 1, { text });
  const best = new Map<string, number>();
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, { ranks, threads, sharding }] of Object.entries(kinds)) {
      process.env["LLAVA_TEST_THREADS"] = String(threads);
      const recipe = rowsRecipe(join(folder, `${name}-${round}`), {
        ...{ model, batchSize: Number(values.rows), train: ["projector", "languageModel"], sharding },
        // As sharded weights do it, so that all kinds compute the same.
        activationCheckpointing: true,
        ...{ maxSteps: Number(values.steps), checkpoint: { every: 1e6 } },
      });
      const [first] = await inProcesses<Steps>(ranks, "steps", { recipe });
      const fastest = Math.min(...first!.seconds.slice(1));
      best.set(name, Math.min(best.get(name) ?? Infinity, fastest));
    }
  const plain = best.get("plain")!;
  for (const [name, seconds] of best) {
    const beside =
      kinds[name as keyof typeof kinds].ranks > 1
        ? `${(plain / seconds).toFixed(2)} × the speed of one process (bar: 0.8)`
        : `${(100 * (seconds / plain - 1)).toFixed(1)} % longer (bar: 3 %)`;
    console.log(`${name}: ${seconds.toFixed(3)} s a step${name === "plain" ? "" : `, ${beside}`}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
