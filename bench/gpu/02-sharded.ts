/**
 * Training in units by one process, states and weights sharded: the losses of training without, and memory that stays as it is.
 *
 *   node bench/gpu/02-sharded.ts
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentProgress } from "../../src/setup/index.ts";
import { cudaMemory, liveTensors } from "../../src/torch/index.ts";
import { type Callback, type Recipe, runRecipe } from "../../src/training/index.ts";
import { rowsRecipe, stages } from "../../test/support/training-rows.ts";
import { check, checks, device, isGpu, sized } from "./checks.ts";
import { groupAlone } from "./group.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-gpu-"));
const STEPS = sized(50, 6);
/** Steps after which all that stays is there. */
const SETTLED = 4;

await checks("sharded", async () => {
  using group = await groupAlone();
  const dtype = sized("bfloat16", "float32");
  const run = async (name: string, sharding: Recipe["sharding"]) => {
    const recipe = rowsRecipe(join(folder, name), {
      ...stages["full"],
      ...{ device, dtype, maxSteps: STEPS, checkpoint: { every: 1000 } },
      ...{ activationCheckpointing: true, accumulation: 2, ...(sharding && { sharding }) },
    });
    const held: number[] = [];
    const watching: Callback = {
      afterStep: () => void held.push(isGpu ? cudaMemory(device).inUse : liveTensors()),
    };
    const { communicator } = group;
    const given = { progress: silentProgress, report: () => {}, callbacks: [watching] };
    await runRecipe(recipe, sharding === "none" ? given : { ...given, communicator });
    const lines = readFileSync(join(recipe.output, "log.jsonl"), "utf8").trim().split("\n");
    return { held, losses: lines.map((line) => (JSON.parse(line) as { loss: number }).loss) };
  };
  const expected = (await run("none", "none")).losses;
  for (const sharding of ["states", "weights"] as const) {
    const { losses, held } = await run(sharding, sharding);
    const most = Math.max(...losses.map((loss, i) => Math.abs(loss - expected[i]!)));
    check(`${sharding}: the same losses`, most === 0, `at most ${most} apart in ${STEPS} steps`);
    const grown = held.at(-1)! - held[SETTLED]!;
    check(`${sharding}: memory stays as it is`, grown === 0, `${grown} more ${isGpu ? "bytes" : "tensors"}`);
  }
});
rmSync(folder, { recursive: true });
