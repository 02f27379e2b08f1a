// Runs that train adapters: npm test -- src/training/adapters.test.ts
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { drawSquares, squaresRecipe } from "../../test/support/coloured-squares.ts";
import { openSafetensors } from "../checkpoint/index.ts";
import { loadPretrained } from "../models/index.ts";
import { silentProgress } from "../setup/index.ts";
import { noGrad, scope, type Tensor } from "../torch/index.ts";
import type { RecipeFields } from "./recipe.ts";
import { runRecipe } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-adapters-"));
const quiet = { progress: silentProgress, report: () => {} };
const lora = { rank: 2, alpha: 4, dropout: 0.1 };

before(async () => void (await drawSquares(folder, "train", 6)));
after(() => rmSync(folder, { recursive: true }));

const recipeFor = (run: string, fields: Partial<RecipeFields> = {}) =>
  squaresRecipe(folder, { output: join(folder, run), maxSteps: 8, lora, ...fields });

function tensorsOf(path: string): Map<string, number[]> {
  using file = openSafetensors(path);
  return new Map([...file.names()].map((name) => [name, file.read(name).toNumbers()]));
}

const same = (actual: Tensor, expected: Tensor): boolean =>
  noGrad(() => scope(() => actual.sub(expected).abs().amax().item())) < 1e-6;

describe("a run with adapters", () => {
  test("trains them and the projector, and leaves a folder that loads on the base model", async () => {
    const recipe = recipeFor("whole");
    const { result } = await runRecipe(recipe, quiet);
    assert.equal(result, join(folder, "whole", "adapter"));
    using trained = await loadPretrained({ kind: "folder", path: result });
    using base = await loadPretrained({ kind: "folder", path: recipe.model });
    const before = base.model.namedParameters();
    const changed = [...trained.model.namedParameters()].flatMap(([name, weight]) =>
      same(weight, before.get(name)!) ? [] : [name],
    );
    const adapted = /^language_model\.layers\.\d+\.(?:self_attn|mlp)\.\w+_proj\.weight$/;
    const layers = [...before.keys()].filter((name) => adapted.test(name));
    const projector = [...before.keys()].filter((name) => name.startsWith("multi_modal_projector."));
    assert.deepEqual(new Set(changed), new Set([...layers, ...projector]));
  });

  test("that was stopped ends with the weights of one that was not", async () => {
    const stop = new AbortController();
    const progress = () => ({
      update: (done: number) => void (done === 3 && stop.abort()),
      increment() {},
      stop() {},
    });
    const stopped = await runRecipe(recipeFor("stopped"), { ...quiet, progress, signal: stop.signal });
    assert.deepEqual(stopped, { step: 3, totalSteps: 8, result: undefined });
    await runRecipe(recipeFor("stopped"), { ...quiet, resume: true });
    await runRecipe(recipeFor("unstopped"), quiet);
    const resultOf = (run: string) => tensorsOf(join(folder, run, "adapter", "adapter_model.safetensors"));
    assert.deepEqual(resultOf("stopped"), resultOf("unstopped"));
  });

  test("does not train the same weights whole as well", () => {
    assert.throws(
      () => recipeFor("both", { train: ["projector", "languageModel"] }),
      /both whole and by adapters/,
    );
  });
});
