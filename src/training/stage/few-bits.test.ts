// Adapters beside weights in few bits: npm test -- src/training/stage/few-bits.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { writeRandomModel } from "../../../bench/random-checkpoint.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { finalBytes, fixtures, rowsRecipe } from "../../../test/support/training-rows.ts";
import { openSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { BlockLinear } from "../../nn/index.ts";
import { adaptedLinears, loadCheckpoint } from "../../pretrained/index.ts";
import { silentProgress } from "../../setup/index.ts";
import { scope } from "../../torch/index.ts";
import type { Recipe, RecipeFields } from "../recipe/recipe.ts";
import { runRecipe } from "../run.ts";
import { placement } from "./placement.ts";
import { prepareStage } from "./stage.ts";

const folder = temporaryFolder("llava-few-bits");
const model = join(folder, "model");
/** The same with the weights that 4 bits stand for. */
const decoded = join(folder, "decoded");
const quiet = { progress: silentProgress, report: () => {} };

before(async () => {
  const tiny = join(fixtures, "llava/llama");
  for (const copy of [model, decoded]) cpSync(tiny, copy, { recursive: true });
  const config = JSON.parse(readFileSync(join(tiny, "config.json"), "utf8"));
  const text = { ...config.text_config, hidden_size: 256, intermediate_size: 352, head_dim: 32 };
  writeRandomModel(model, { ...config, text_config: text });
  writeRandomModel(decoded, { ...config, text_config: text });
  using narrow = await loadCheckpoint(model, { frozenWeights: "int4" });
  using file = openSafetensors(join(model, "model.safetensors"));
  scope(() => {
    const tensors = new Map(Array.from(file.names(), (name) => [name, file.read(name)]));
    let count = 0;
    for (const [path, module] of narrow.model.namedModules())
      if (module instanceof BlockLinear) {
        const name = `model.${path}.weight`;
        assert.ok(tensors.has(name), name);
        tensors.set(name, module.decoded());
        count++;
      }
    assert.equal(count, 14);
    writeSafetensors(join(decoded, "model.safetensors"), tensors);
  });
});

const recipeFor = (run: string, fields: Partial<RecipeFields>): Recipe =>
  rowsRecipe(join(folder, run), {
    model,
    frozenWeights: "int4",
    train: ["projector"],
    lora: { rank: 2, alpha: 4 },
    maxSteps: 10,
    ...fields,
  });

/** Losses of the steps, and what was trained. */
async function train(recipe: Recipe) {
  const losses: number[] = [];
  const callbacks = [{ afterStep: (_: unknown, { loss }: { loss: number }) => void losses.push(loss) }];
  const { result } = await runRecipe(recipe, { ...quiet, callbacks });
  using file = openSafetensors(join(result!, "adapter_model.safetensors"));
  return {
    losses,
    tensors: new Map(Array.from(file.names(), (name) => [name, file.read(name).toNumbers()])),
  };
}

describe("adapters beside a language model in 4 bits", () => {
  test("stand beside blocks in the layers, and leave the vocabulary's scores in floating point", async () => {
    using stage = await prepareStage(recipeFor("unused", {}), quiet);
    const { languageModel } = stage.pretrained.model;
    const adapted = [...adaptedLinears(languageModel)];
    assert.equal(adapted.length, 14);
    for (const [name, { base }] of adapted) assert.ok(base instanceof BlockLinear, name);
    assert.equal(languageModel.namedParameters().get("lm_head.weight")!.dtype, "float32");
  });

  // In float32, whose sums are in another order; AdamW's steps do not depend on a gradient's size.
  for (const activationCheckpointing of [false, true])
    test(`learn in ten steps what they learn beside the decoded weights, ${activationCheckpointing ? "computed again" : "kept"}`, async () => {
      const name = String(activationCheckpointing);
      const narrow = await train(recipeFor(`narrow-${name}`, { activationCheckpointing }));
      const wide = await train(
        recipeFor(`wide-${name}`, { model: decoded, frozenWeights: undefined, activationCheckpointing }),
      );
      assert.equal(narrow.losses.length, 10);
      for (const [i, loss] of narrow.losses.entries())
        assert.ok(Math.abs(loss / wide.losses[i]! - 1) < 1e-4, `${loss}, ${wide.losses[i]}`);
      assert.ok(narrow.losses.at(-1)! < narrow.losses[0]!);
      let far = 0;
      for (const [tensor, values] of wide.tensors)
        for (const [i, value] of values.entries())
          far = Math.max(far, Math.abs(value - narrow.tensors.get(tensor)![i]!));
      assert.ok(far < 1e-3, `${far} apart, after ten steps of 2e-3`);
    });

  test("end, when stopped and resumed, with the bits of a run that was not stopped", async () => {
    const stop = new AbortController();
    const progress = () => ({
      update: (done: number) => void (done === 4 && stop.abort()),
      increment() {},
      stop() {},
    });
    const [stopped, whole] = ["stopped", "whole"].map((name) => recipeFor(name, {})) as [Recipe, Recipe];
    assert.equal((await runRecipe(stopped, { ...quiet, progress, signal: stop.signal })).step, 4);
    await runRecipe(stopped, { ...quiet, resume: true });
    await runRecipe(whole, quiet);
    assert.deepEqual(finalBytes(stopped), finalBytes(whole));
  });

  test("are for the CPU", () => {
    assert.throws(() => placement(recipeFor("gpu", { device: "cuda" }), "languageModel"), {
      code: "config",
      message: /"int4" are multiplied on the CPU, not on cuda/,
    });
  });
});
