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
const huggingFace = join(fixtures, "llava/llama");

async function train(name: string, fields: Partial<RecipeFields>) {
  const lines: string[] = [];
  const recipe = rowsRecipe(join(folder, name), { model: original, anyres: {}, maxSteps: 3, ...fields });
  const { result } = await runRecipe(recipe, {
    progress: silentProgress,
    report: (line) => void lines.push(line),
  });
  return { result: result!, lines, output: recipe.output };
}

/** What each step of a run was like. */
const logged = (output: string): { loss: number; gradientNorm: number }[] =>
  readFileSync(join(output, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** The newline of a result, loaded as chat would load it, and the tokens of a wide photo. */
async function loaded(path: string, base?: string) {
  using pretrained = await loadPretrained({ kind: "folder", path }, base === undefined ? {} : { base });
  const { model, processor } = pretrained;
  const layout = processor.layoutOf({ width: 90, height: 30 });
  return { newline: model.imageNewline?.toNumbers(), tiles: layout.tiles };
}

const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

describe("a model of Hugging Face's layout that is given AnyRes", () => {
  test("becomes a LLaVA-NeXT of that layout, with a newline, an image processor and its sizes", async () => {
    const { result, lines, output } = await train("next", { ...stages["full"], model: huggingFace });
    assert.equal(lines.filter((line) => /image_newline.*starts at random/.test(line)).length, 1);
    const config = JSON.parse(readFileSync(join(result, "config.json"), "utf8"));
    assert.deepEqual(
      [config.model_type, config.architectures, config.image_grid_pinpoints[0]],
      ["llava_next", ["LlavaNextForConditionalGeneration"], [28, 56]],
    );
    const processor = JSON.parse(readFileSync(join(result, "preprocessor_config.json"), "utf8"));
    assert.equal(processor.image_processor_type, "LlavaNextImageProcessor");
    const { newline, tiles } = await loaded(output);
    assert.equal(tiles, "anyres");
    using stored = openSafetensors(join(result, "model.safetensors"));
    assert.deepEqual(stored.read("image_newline").toNumbers(), newline);
  });

  test("keeps it in a projector of a first stage, and beside adapters", async () => {
    for (const stage of ["projector", "lora"]) {
      const { output, result } = await train(`next-${stage}`, { ...stages[stage], model: huggingFace });
      const { newline, tiles } = await loaded(output);
      assert.equal(tiles, "anyres");
      const file = stage === "lora" ? join(result, "adapter_model.safetensors") : result;
      using stored = openSafetensors(file);
      const name = [...stored.names()].find((each) => each.endsWith("image_newline"));
      assert.deepEqual(newline, stored.read(name!).toNumbers());
    }
  });
});

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

  test("learns the same from features that are kept, of mirrored images too", async () => {
    const { data } = rowsRecipe("unused");
    const lossesOf = async (name: string, fields: Partial<RecipeFields>) => {
      const { output } = await train(name, { ...stages["projector"], ...fields });
      return logged(output).map(({ loss }) => loss);
    };
    const flips = { data: { ...data, flips: true }, maxSteps: 4 };
    const kept = { cache: join(folder, "cache"), dtype: "float32" as const };
    const live = await lossesOf("live", flips);
    const cached = await lossesOf("cached", { ...flips, features: kept });
    const plain = await lossesOf("plain", { maxSteps: 4, features: { ...kept, batchSize: 2 } });
    for (const [at, loss] of live.entries()) assert.ok(Math.abs(loss - cached[at]!) < 1e-5, `${cached[at]}`);
    assert.ok(live.some((loss, at) => Math.abs(loss - plain[at]!) > 1e-4));
  });

  test("learns the same however many tiles its tower takes at once", async () => {
    const stepsOf = async (name: string, tilesAtOnce: number) => {
      const fields = { ...stages["all"], activationCheckpointing: true, features: { tilesAtOnce } };
      return logged((await train(name, fields)).output);
    };
    const [few, many] = [await stepsOf("few", 4), await stepsOf("many", 64)];
    for (const [at, { loss, gradientNorm }] of few.entries()) {
      assert.ok(Math.abs(loss - many[at]!.loss) < 1e-6, `${loss}`);
      assert.ok(Math.abs(gradientNorm / many[at]!.gradientNorm - 1) < 1e-6, `${gradientNorm}`);
    }
  });

  test("is refused tiles that do not fit, and words that its layout has not", async () => {
    const wrong: [Partial<RecipeFields>, RegExp][] = [
      [
        { anyres: { maxTiles: 9 }, features: { cache: join(folder, "cache") } },
        /features.cache keeps an image as it is seen alone/,
      ],
      [{ features: { tilesAtOnce: 2 } }, /features.tilesAtOnce is for a vision tower that learns/],
      [{ model: "llava-smol-135m" }, /anyres is for a checkpoint of LLaVA/],
      [{ model: huggingFace, anyres: { maxTiles: 4 } }, /anyres.maxTiles is 4, for which Hugging Face's/],
      [{ model: huggingFace, anyres: { mergeType: "spatial" } }, /anyres.mergeType is "spatial", for which/],
      [{ anyres: { pinpoints: [[30, 28]] } }, /image_grid_pinpoints has 30×28/],
      [{ anyres: { mergeType: "unires" } }, /mm_patch_merge_type "unires"/],
    ];
    for (const [fields, message] of wrong) await assert.rejects(train("wrong", fields), message);
  });
});
