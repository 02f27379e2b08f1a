// Work that must not be lost: npm test -- src/training/run-state.test.ts
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { killAgainAndAgain } from "../../test/support/kill-run.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { finalBytes, rowsRecipe, stages } from "../../test/support/training-rows.ts";
import { mulberry32 } from "../random/index.ts";
import { silentProgress } from "../setup/index.ts";
import { tensor } from "../torch/index.ts";
import type { RecipeFields } from "./recipe/recipe.ts";
import { runRecipe } from "./run.ts";
import { latestCheckpoint, type RunState, writeCheckpoint } from "./run-state.ts";

const folder = temporaryFolder("llava-checkpoints");
const quiet = { progress: silentProgress, report: () => {} };

const recipeFor = (run: string, fields: Partial<RecipeFields> = {}) =>
  rowsRecipe(join(folder, run), { ...stages["full"], batchSize: 2, maxSteps: 12, ...fields });
const checkpointsOf = (run: string): string => join(folder, run, "checkpoints");
const stepsAndLosses = (run: string): string[] =>
  readFileSync(join(folder, run, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { step: number; loss: number })
    .map(({ step, loss }) => `${step} ${loss}`);

/** Ends the run after so many steps. */
async function stopAfter(steps: number, recipe: ReturnType<typeof recipeFor>): Promise<void> {
  const stop = new AbortController();
  const callbacks = [{ afterStep: ({ step }: { step: number }) => void (step === steps && stop.abort()) }];
  const { result } = await runRecipe(recipe, { ...quiet, callbacks, signal: stop.signal });
  assert.equal(result, undefined);
}

let whole: { bytes: Map<string, string>; losses: string[] };
before(async () => {
  await runRecipe(recipeFor("whole"), quiet);
  whole = { bytes: finalBytes(recipeFor("whole")), losses: stepsAndLosses("whole") };
});

async function assertEndsAsWhole(run: string, fields: Partial<RecipeFields> = {}): Promise<string[]> {
  const lines: string[] = [];
  const report = (line: string) => void lines.push(line);
  await runRecipe(recipeFor(run, fields), { ...quiet, resume: true, report });
  assert.deepEqual(finalBytes(recipeFor(run)), whole.bytes);
  assert.deepEqual(stepsAndLosses(run), whole.losses);
  return lines;
}

describe("the weights of a run that was not disturbed are those of one", () => {
  test("that was killed at random moments, saving every step", async () => {
    const fields = { maxSteps: 24, checkpoint: { every: 1, keep: 1 } };
    const { kills } = await killAgainAndAgain(recipeFor("killed", fields), 4, mulberry32(7));
    assert.equal(kills, 4);
    await runRecipe(recipeFor("undisturbed", fields), quiet);
    assert.deepEqual(finalBytes(recipeFor("killed")), finalBytes(recipeFor("undisturbed")));
    assert.deepEqual(stepsAndLosses("killed"), stepsAndLosses("undisturbed"));
  });

  test("whose newest checkpoints are damaged, half-written or half-removed; the log's later lines are dropped", async () => {
    const fields = { checkpoint: { every: 3, keep: 3 } };
    await runRecipe(recipeFor("damaged", fields), quiet);
    const checkpoints = checkpointsOf("damaged");
    assert.deepEqual(readdirSync(checkpoints).sort(), ["step-0000006", "step-0000009", "step-0000012"]);
    truncateSync(join(checkpoints, "step-0000012", "optimizer.safetensors"), 100);
    const weights = join(checkpoints, "step-0000009", "weights.safetensors");
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(weights, bytes);
    cpSync(join(checkpoints, "step-0000006"), join(checkpoints, "step-0000011.partial"), { recursive: true });
    appendFileSync(join(folder, "damaged", "log.jsonl"), '{"step":13,"lo');
    const lines = await assertEndsAsWhole("damaged", fields);
    assert.ok(lines.some((line) => /passing over .*step-0000012/.test(line)));
    assert.ok(lines.some((line) => /step-0000009.*hash differs/.test(line)));
    assert.ok(lines.some((line) => /going on after step 6/.test(line)));
  });

  test("that a full disk stopped, naming the file and leaving the checkpoint before as it was", async () => {
    const recipe = recipeFor("full", { checkpoint: { every: 5 } });
    await stopAfter(3, recipe);
    const before = readdirSync(checkpointsOf("full"));
    const script = fileURLToPath(new URL("../../test/support/train-child.ts", import.meta.url));
    // No file may grow beyond 64 KiB: writing one fails as it does where there is no room.
    const limited = `ulimit -f 64; exec "$0" "$@"`;
    const child = spawnSync("bash", ["-c", limited, process.execPath, script, JSON.stringify(recipe)]);
    assert.notEqual(child.status, 0);
    assert.match(
      String(child.stderr),
      /step-0000005.*(?:weights|optimizer)\.safetensors: cannot be written: EFBIG/,
    );
    assert.match(String(child.stderr), /has room/);
    assert.deepEqual(readdirSync(checkpointsOf("full")), before);
    await assertEndsAsWhole("full", { checkpoint: { every: 5 } });
  });
});

describe("a run is not gone on with", () => {
  test("by another recipe, whose first field that differs is named", async () => {
    await stopAfter(1, recipeFor("first"));
    for (const [fields, message] of [
      [{ optimizer: { learningRate: 5 } }, /started with optimizer\.learningRate 0\.002, not 5/],
      [{ lora: { rank: 1, alpha: 1 }, train: ["projector"] }, /started with train .*not \["projector"\]/],
      [{ accumulation: 2 }, /started with accumulation 1, not 2/],
      [{ tokensPerSide: 3 }, /started with tokensPerSide left out, not 3/],
    ] as [Partial<RecipeFields>, RegExp][])
      await assert.rejects(runRecipe(recipeFor("first", fields), { ...quiet, resume: true }), message);
  });

  test("but may be, where only what surrounds it differs", async () => {
    await stopAfter(4, recipeFor("surroundings"));
    const fields: Partial<RecipeFields> = { checkpoint: { every: 3 }, activationCheckpointing: true };
    await assertEndsAsWhole("surroundings", fields);
  });

  test("where none of its checkpoints is whole: it would start over", async () => {
    await stopAfter(2, recipeFor("lost"));
    const checkpoint = join(checkpointsOf("lost"), "step-0000002");
    rmSync(join(checkpoint, "optimizer.safetensors"));
    const resumed = runRecipe(recipeFor("lost"), { ...quiet, resume: true });
    await assert.rejects(resumed, { code: "checkpoint", message: /none of its 1 checkpoints is whole/ });
  });
});

test("the newest checkpoints are kept, and the best of those that were evaluated", () => {
  const state = (step: number, heldOutLoss?: number): RunState => ({
    step,
    heldOutLoss,
    weights: new Map([["w", tensor([step])]]),
    optimizer: new Map([["w.steps", tensor([step])]]),
    source: {},
    generators: [new Uint8Array()],
    recipe: {},
  });
  const losses = [undefined, 3, 1, 2, undefined, 4, undefined, 5];
  const path = join(folder, "retention");
  for (const [step, loss] of losses.entries())
    writeCheckpoint(path, state(step, loss), { keep: 2, keepBest: 2 });
  const kept = readdirSync(path).map((name) => Number(name.slice("step-".length)));
  assert.deepEqual(
    kept.sort((a, b) => a - b),
    [2, 3, 6, 7],
  );
  assert.equal(latestCheckpoint(path)?.heldOutLoss, 5);
  assert.equal(latestCheckpoint(path)?.weights.get("w")?.item(), 7);
});

test("an evaluated step that is saved says its loss, and outlives newer ones", async () => {
  const { data } = recipeFor("best");
  const evaluation = { rows: data.rows, images: data.images, every: 2 };
  const fields = { evaluation, checkpoint: { every: 2, keep: 1, keepBest: 1 } };
  await runRecipe(recipeFor("best", { ...fields, optimizer: { learningRate: 3e-2 } }), quiet);
  const lossAt = new Map(
    readFileSync(join(folder, "best", "log.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { step: number; heldOutLoss?: number })
      .flatMap(({ step, heldOutLoss }) =>
        heldOutLoss === undefined || step === 0 ? [] : [[step, heldOutLoss] as const],
      ),
  );
  const best = Math.min(...lossAt.values());
  const kept = readdirSync(checkpointsOf("best")).map((name) => Number(name.slice("step-".length)));
  assert.ok(kept.includes(12));
  assert.ok(kept.some((step) => lossAt.get(step) === best));
  assert.ok(kept.length <= 2);
});
