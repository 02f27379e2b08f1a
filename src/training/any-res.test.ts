// Learning AnyRes from a model that sees images as a whole: npm test -- src/training/any-res.test.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { fixtures, rowsRecipe, stages } from "../../test/support/training-rows.ts";
import { openSafetensors } from "../checkpoint/index.ts";
import { loadPretrained } from "../pretrained/index.ts";
import { silentProgress } from "../setup/index.ts";
import type { RecipeFields } from "./recipe/recipe.ts";
import { runRecipe } from "./run.ts";

const folder = temporaryFolder("llava-any-res");
const original = join(fixtures, "llava/original");

async function train(name: string, fields: Partial<RecipeFields>) {
  const lines: string[] = [];
  const recipe = rowsRecipe(join(folder, name), { model: original, anyres: {}, maxSteps: 3, ...fields });
  const { result } = await runRecipe(recipe, {
    progress: silentProgress,
    report: (line) => void lines.push(line),
  });
  return { result: result!, lines, output: recipe.output };
}

/** The newline of a result, loaded as chat would load it, and the tokens of a wide photo. */
async function loaded(path: string, base?: string) {
  using pretrained = await loadPretrained({ kind: "folder", path }, base === undefined ? {} : { base });
  const { model, processor } = pretrained;
  const layout = processor.layoutOf({ width: 90, height: 30 });
  return { newline: model.imageNewline?.toNumbers(), tiles: layout.tiles };
}

const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

describe("a model of LLaVA-1.5's kind that is given AnyRes", () => {
  test("says that it draws a newline, trains it, and is saved and loaded with it", async () => {
    const { result, lines, output } = await train("full", { ...stages["full"] });
    assert.equal(lines.filter((line) => /image_newline.*starts at random/.test(line)).length, 1);
    const config = JSON.parse(readFileSync(join(result, "config.json"), "utf8"));
    assert.deepEqual(
      [config.image_aspect_ratio, config.mm_patch_merge_type, config.image_grid_pinpoints[0]],
      ["anyres", "spatial_unpad", [28, 56]],
    );
    const { newline, tiles } = await loaded(output);
    assert.equal(tiles, "anyres");
    // 16 draws of deviation 1/√16, moved by three steps of 0.002.
    assert.ok(deviation(newline!) > 0.1 && deviation(newline!) < 0.5, `${deviation(newline!)}`);
    using stored = openSafetensors(join(result, "model.safetensors"));
    assert.deepEqual(stored.read("model.image_newline").toNumbers(), newline);
  });

  test("keeps it in a projector of a first stage, which a second stage goes on from", async () => {
    const { result, output } = await train("projector", stages["projector"]!);
    const { newline } = await loaded(output);
    using file = openSafetensors(result);
    assert.deepEqual(file.read("model.image_newline").toNumbers(), newline);
    const next = await train("second", {
      ...stages["projector"],
      projector: result,
      optimizer: { learningRate: 1e-12 },
    });
    const after = (await loaded(next.output)).newline!;
    for (const [at, value] of newline!.entries()) assert.ok(Math.abs(after[at]! - value) < 1e-9);
  });

  test("keeps it beside adapters", async () => {
    const { result } = await train("lora", stages["lora"]!);
    using file = openSafetensors(join(result, "adapter_model.safetensors"));
    const name = [...file.names()].find((each) => each.endsWith("image_newline"));
    assert.deepEqual((await loaded(result, original)).newline, file.read(name!).toNumbers());
  });

  test("is refused flips, a feature cache and a layout that cannot say it", async () => {
    const { data } = rowsRecipe("unused");
    const wrong: [Partial<RecipeFields>, RegExp][] = [
      [{ data: { ...data, flips: true } }, /data.flips mirrors tiles/],
      [{ features: { cache: join(folder, "cache") } }, /features.cache keeps one tile/],
      [{ model: join(fixtures, "llava/llama") }, /anyres is for a model in the original LLaVA's layout/],
      [{ anyres: { pinpoints: [[30, 28]] } }, /image_grid_pinpoints has 30×28/],
      [{ anyres: { mergeType: "unires" } }, /mm_patch_merge_type "unires"/],
    ];
    for (const [fields, message] of wrong) await assert.rejects(train("wrong", fields), message);
  });
});
