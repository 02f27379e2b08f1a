// The recipes of LLaVA and LLaVA-1.5 against the papers and scripts: npm test -- src/training/recipe
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { llava } from "../../../test/support/cli.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { planMemory, recipeSizes } from "../plan/index.ts";
import { outlineRecipe } from "../plan/outline.ts";
import { referenceOf } from "./objective-schema.ts";
import { type RecipeFields, resolveRecipe } from "./recipe.ts";

/**
 * arXiv 2304.08485 (section 4.2, 5.2), arXiv 2310.03744 (table 9) and the scripts pretrain.sh, finetune.sh,
 * finetune_sqa.sh, v1_5/{pretrain,finetune,finetune_lora,finetune_task,finetune_task_lora}.sh of LLaVA's repository:
 * rate, the projector's rate, rows a step, epochs, template, grouping and mixing, what learns, rank/alpha/dropout, aspect ratio,
 * projector.
 */
const table: Readonly<Record<string, string>> = {
  "llava-v1-13b/pretrain": "2e-3 2e-3 128 1 plain none projector - square linear",
  "llava-v1-13b/finetune": "2e-5 2e-5 32 3 vicuna_v1 none/datasets projector+languageModel - square linear",
  "llava-v1-13b/scienceqa": "2e-5 2e-5 32 12 vicuna_v1 none projector+languageModel - square linear",
  "llava-1.5-7b/pretrain": "1e-3 1e-3 256 1 plain none projector - square mlp2x_gelu",
  "llava-1.5-7b/finetune": "2e-5 2e-5 128 1 vicuna_v1 modality projector+languageModel - pad mlp2x_gelu",
  "llava-1.5-7b/lora": "2e-4 2e-5 128 1 vicuna_v1 modality projector 128/256/0.05 pad mlp2x_gelu",
  "llava-1.5-7b/qlora": "2e-4 2e-5 128 1 vicuna_v1 modality projector 128/256/0.05 pad mlp2x_gelu",
  "llava-1.5-7b/task": "2e-5 2e-5 128 1 vicuna_v1 modality projector+languageModel - own own",
  "llava-1.5-7b/task-lora": "2e-4 2e-5 128 1 vicuna_v1 modality projector 128/256/0.05 own own",
};
for (const [name, row] of Object.entries(table))
  if (name.startsWith("llava-1.5-7b/") && !name.endsWith("qlora"))
    Object.assign(table, { [name.replace("7b", "13b")]: row });

const fieldsOf = async (name: string): Promise<RecipeFields> => {
  const { href } = pathToFileURL(join(import.meta.dirname, "../../../recipes", `${name}.ts`));
  return ((await import(href)) as { default: RecipeFields }).default;
};

async function recipeOf(name: string) {
  const { data, ...fields } = await fieldsOf(name);
  return resolveRecipe({ ...fields, data: { ...data, rows: "rows.json", images: "images" } });
}

for (const [name, row] of Object.entries(table))
  describe(name, () => {
    test("has the published numbers", async () => {
      const { optimizer, batchSize, epochs, data, train, lora, vision, ...recipe } = await recipeOf(name);
      const [rate, projectorRate, ...others] = row.split(" ");
      assert.equal(optimizer.learningRate, Number(rate));
      assert.equal(optimizer.projectorLearningRate ?? optimizer.learningRate, Number(projectorRate));
      const adapters = lora ? `${lora.rank}/${lora.alpha}/${lora.dropout}` : "-";
      const how = data.mixing === "rows" ? data.grouping : `${data.grouping}/${data.mixing}`;
      const eyes = vision ? [vision.imageAspectRatio, vision.projector] : ["own", "own"];
      assert.deepEqual(
        [batchSize, epochs, data.template, how, train.join("+"), adapters, ...eyes].map(String),
        others,
      );
      // What all of them have in common.
      assert.deepEqual(
        [
          optimizer.betas,
          optimizer.epsilon,
          optimizer.weightDecay,
          data.maxTokens,
          vision?.featureLayer ?? -2,
        ],
        [[0.9, 0.999], 1e-8, 0, 2048, -2],
      );
      assert.deepEqual(recipe.schedule, { type: "cosine", warmupRatio: 0.03 });
      assert.deepEqual(
        [recipe.maxGradientNorm, recipe.dtype, recipe.activationCheckpointing],
        [1, "auto", true],
      );
      assert.equal(recipe.output, `runs/${name}`);
    });

    test("starts where the stage before it ends, and divides its step evenly", async () => {
      const { projector, accumulation, batchSize, vision } = await recipeOf(name);
      const [model, stage] = name.split("/");
      const expected = { pretrain: "fresh", task: "loaded", "task-lora": "loaded" }[stage!];
      assert.equal(projector, expected ?? `runs/${model}/pretrain/projector.safetensors`);
      assert.equal(batchSize % accumulation, 0);
      assert.equal(vision === undefined, stage!.startsWith("task"));
    });
  });

/** direct_finetune_clip.sh, pretrain_clip.sh and the archived Mistral script of LLaVA-NeXT's repository; its published models. */
const next: Readonly<Record<string, [rate: number, template: string, billions: number]>> = {
  "vicuna-7b": [1e-5, "vicuna_v1", 7.1],
  "vicuna-13b": [1e-5, "vicuna_v1", 13.4],
  "mistral-7b": [5e-6, "mistral_instruct", 7.6],
  "yi-34b": [1e-5, "chatml_direct", 34.8],
  "llama-3-8b": [1e-5, "llava_llama_3", 8.4],
  "qwen1.5-72b": [1e-5, "qwen_1_5", 72.7],
  "qwen1.5-110b": [1e-5, "qwen_1_5", 111.6],
};
for (const [name, [rate, template, billions]] of Object.entries(next))
  test(`llava-next-${name} has the published numbers, and trains all of its parts on images in tiles`, async () => {
    const first = await recipeOf(`llava-next-${name}/pretrain`);
    assert.deepEqual(
      [first.optimizer.learningRate, first.batchSize, first.data.template, first.train],
      [1e-3, 256, "plain", ["projector"]],
    );
    assert.equal(first.anyres, undefined);
    const recipe = await recipeOf(`llava-next-${name}/finetune`);
    const { optimizer, data, batchSize, accumulation, projector, model } = recipe;
    assert.equal(model, first.model);
    assert.equal(projector, `${first.output}/projector.safetensors`);
    assert.deepEqual(
      [optimizer.learningRate, optimizer.visionTowerLearningRate, batchSize, data.template, data.maxTokens],
      [rate, 2e-6, 128, template, 4096],
    );
    assert.equal(batchSize % accumulation, 0);
    const outline = outlineRecipe(recipe, await recipeSizes(recipe));
    // A photo of 640×480.
    assert.equal(outline.imageTokens, 2340);
    assert.equal(outline.frozen, 0);
    assert.ok(Math.abs(outline.trained / 1e9 - billions) < 0.1, `${outline.trained}`);
  });

/** The archived script of LLaVA-NeXT-Video's second stage: rate, rows a step, length; how rows with videos come beside others. */
const videos: Readonly<Record<string, [from: string, videos: string, billions: number]>> = {
  "llava-next-video-7b/finetune": ["lmsys/vicuna-7b-v1.5", "mixed", 6.76],
  "llava-next-video-7b/continue": ["liuhaotian/llava-v1.6-vicuna-7b", "only", 6.76],
  "llava-next-video-34b/finetune": ["NousResearch/Nous-Hermes-2-Yi-34B", "mixed", 34.5],
};
for (const [name, [model, kind, billions]] of Object.entries(videos))
  test(`${name} has the published numbers, and its videos fit`, async () => {
    const recipe = await recipeOf(name);
    const { optimizer, schedule, batchSize, accumulation, epochs, data, train } = recipe;
    assert.deepEqual([recipe.model, data.videos, data.grouping], [model, kind, "modality"]);
    assert.deepEqual(
      [optimizer.learningRate, schedule.type, schedule.warmupRatio, batchSize, epochs, data.maxTokens],
      [2e-5, "cosine", 0.03, 128, 1, 4096],
    );
    assert.equal(batchSize % accumulation, 0);
    assert.deepEqual(train, ["projector", "languageModel"]);
    const sizes = await recipeSizes(recipe);
    const { trained, video } = outlineRecipe(recipe, sizes);
    assert.ok(Math.abs(trained / 1e9 - billions) < 0.1, `${trained}`);
    assert.deepEqual(video, { frames: 16, tokens: 16 * 144 });
    assert.deepEqual(
      [planMemory(sizes, recipe).rows.frames, planMemory(sizes, recipe).microBatch.longest],
      [16, 2304 + 254],
    );
  });

/**
 * dpo_7b of LLaVA-NeXT-Video, train_dpo.sh of LLaVA-Hound and the scripts of RLHF-V: rate, schedule, warm-up, β, pairs a step,
 * epochs, what learns.
 */
const preferences: Readonly<Record<string, string>> = {
  "llava-next-video-7b": "5e-7 linear 0.1 0.1 128 3 languageModel precomputed",
  "llava-next-video-34b": "5e-7 linear 0.1 0.1 128 3 languageModel precomputed",
  "llava-hound-7b": "5e-7 linear 0.1 0.1 128 3 languageModel precomputed",
  "llava-1.5-7b": "5e-7 cosine 0.05 0.1 64 4 - adaptersOff",
};
for (const [name, row] of Object.entries(preferences))
  test(`${name}/preferences has the published numbers, and is told without weights`, async () => {
    const recipe = await recipeOf(`${name}/preferences`);
    const { optimizer, schedule, batchSize, accumulation, epochs, train, objective } = recipe;
    const beta = objective?.type === "preference" ? objective.beta : assert.fail();
    const [rate, ...others] = row.split(" ");
    assert.equal(optimizer.learningRate, Number(rate));
    assert.deepEqual(
      [
        schedule.type,
        schedule.warmupRatio,
        beta,
        batchSize,
        epochs,
        train.join() || "-",
        referenceOf(recipe),
      ].map(String),
      others,
    );
    assert.equal(batchSize % accumulation, 0);
    const { trained, frozen } = outlineRecipe(recipe, await recipeSizes(recipe));
    const billions = name.endsWith("34b") ? 34.75 : train.length > 0 ? 7.06 : 7.38;
    assert.ok(Math.abs((trained + frozen) / 1e9 - billions) < 0.02, `${trained} ${frozen}`);
  });

describe("what a recipe trains is told without weights", () => {
  // vocabulary 32,000; of a layer 4·D² attention, 3·D·I MLP, 2·D norms; D of the last norm
  const languageModel = (width: number, inner: number, layers: number) =>
    2 * 32_000 * width + layers * (4 * width ** 2 + 3 * width * inner + 2 * width) + width;
  const seven = languageModel(4096, 11_008, 32);
  const thirteen = languageModel(5120, 13_824, 40);
  const projector = (width: number) => 1024 * width + width + width * width + width;
  const adapters = (width: number, inner: number, layers: number) =>
    layers * 128 * (4 * (width + width) + 3 * (width + inner));

  const outlineOf = async (name: string) => {
    const recipe = await recipeOf(name);
    return outlineRecipe(recipe, await recipeSizes(recipe));
  };

  for (const [name, trained, imageTokens] of [
    ["llava-v1-13b/pretrain", 1024 * 5120 + 5120, 256],
    ["llava-v1-13b/finetune", thirteen + 1024 * 5120 + 5120, 256],
    ["llava-1.5-7b/pretrain", projector(4096), 576],
    ["llava-1.5-7b/finetune", seven + projector(4096), 576],
    ["llava-1.5-7b/lora", adapters(4096, 11_008, 32) + projector(4096), 576],
    ["llava-1.5-7b/task", seven + projector(4096), 576],
    ["llava-1.5-13b/finetune", thirteen + projector(5120), 576],
    ["llava-1.5-13b/task-lora", adapters(5120, 13_824, 40) + projector(5120), 576],
  ] as const)
    test(name, async () => {
      const outline = await outlineOf(name);
      assert.equal(outline.trained, trained);
      assert.equal(outline.imageTokens, imageTokens);
    });

  test("from a folder that holds config.json alone", async () => {
    const folder = temporaryFolder("llava-shape");
    const config = { model_type: "qwen2", hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2 };
    writeFileSync(
      join(folder, "config.json"),
      JSON.stringify({ ...config, num_attention_heads: 4, num_key_value_heads: 2, vocab_size: 100 }),
    );
    const recipe = { ...(await recipeOf("llava-1.5-7b/pretrain")), model: folder };
    const { groups } = outlineRecipe(recipe, await recipeSizes(recipe));
    const attention = 64 * 64 * 2 + 64 * 32 * 2 + 64 + 32 * 2;
    assert.equal(
      groups.find(({ name }) => name === "languageModel")!.parameters,
      2 * 100 * 64 + 2 * (attention + 3 * 64 * 96 + 2 * 64) + 64,
    );
    await assert.rejects(recipeSizes({ ...recipe, model: "nobody/knows-this" }), /is not known here/);
  });
});

test("a dry run and a plan of the mixture of 760K tell its counts, and which files are not here", async () => {
  const folder = join(import.meta.dirname, "../../../recipes/llava-next-vicuna-7b");
  const rows = ["--data.rows", join(folder, "mixture.yaml")];
  const finetune = join(folder, "finetune.ts");
  const people = await llava(["train", finetune, "--dry-run", ...rows]);
  assert.match(
    people.stdout,
    /data: 15 files, 787,345 rows by the mixture's counts, which leave out 1; not here: .*llava_instruct_158k\.json, .* and 12 others/,
  );
  const json = await llava(["plan", finetune, "--json", ...rows]);
  const { data } = JSON.parse(json.stdout);
  assert.equal(data.missing.length, 15);
  assert.equal(data.missing[0], join(folder, "llava_instruct_158k.json"));
  const wrong = await llava(["train", finetune, "--dry-run", "--data.rows", join(folder, "none.yaml")]);
  assert.notEqual(wrong.status, 0);
  assert.match(wrong.stderr, /none\.yaml/);
});

test("llava train --dry-run prints recipe, groups and memory, for people and as JSON", async () => {
  const path = join(import.meta.dirname, "../../../recipes/llava-1.5-13b/lora.ts");
  const [people, json] = await Promise.all([
    llava(["train", path, "--dry-run", "--lora.rank", "64"]),
    llava(["train", path, "--dry-run", "--json"]),
  ]);
  assert.match(people.stdout, /"rank": 64,/);
  assert.match(people.stdout, /languageModel +13,015,864,320 {2}frozen/);
  assert.match(people.stdout, /lora +250,347,520 {2}learns at 0\.0002/);
  assert.match(people.stdout, /total +\d+\.\d GB/);
  const { recipe, outline, plan } = JSON.parse(json.stdout);
  assert.equal(recipe.lora.rank, 128);
  assert.equal(outline.trained, outline.groups[1].parameters + outline.groups[3].parameters);
  assert.ok(plan.total > 2 * outline.frozen);
});
