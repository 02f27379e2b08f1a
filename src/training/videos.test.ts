// Learning from rows about videos, which are folders of frames and GIFs here: npm test -- src/training/videos.test.ts
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import sharp from "sharp";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { finalBytes, fixtures } from "../../test/support/training-rows.ts";
import type { LlavaError } from "../errors.ts";
import { loadPretrained } from "../pretrained/index.ts";
import { silentProgress } from "../setup/index.ts";
import { scope } from "../torch/index.ts";
import { type RecipeFields, resolveRecipe } from "./recipe/recipe.ts";
import { runRecipe } from "./run.ts";
import { prepareStage } from "./stage/stage.ts";

const folder = temporaryFolder("llava-training-videos");
const media = join(folder, "media");
const quiet = { progress: silentProgress, report: () => {} };

/** A folder of frames, each of another colour. */
async function drawFrames(name: string, count: number, size = { width: 60, height: 40 }): Promise<void> {
  mkdirSync(join(media, name), { recursive: true });
  for (let frame = 0; frame < count; frame++)
    await sharp({
      create: { ...size, channels: 3, background: { r: 8 * frame, g: 255 - 7 * frame, b: 90 } },
    })
      .png()
      .toFile(join(media, name, `frame_${frame}.png`));
}

const says = (question: string, answer: string) => [
  { from: "human", value: question },
  { from: "gpt", value: answer },
];
const rows = [
  { id: "four", video: "four", conversations: says("<image>\nWhat?", "the dog") },
  { id: "seven", videos: ["seven"], conversations: says("<video>\nWhat runs?", "a cat runs") },
  { id: "gif", video: "moving.gif", conversations: says("<video>\nAnd here?", "it is red") },
  { id: "two", videos: ["four", "seven"], conversations: says("<video> then <video>", "one") },
  { id: "both", image: "wide.png", video: "four", conversations: says("<video> or <image>?", "no") },
  { id: "image", image: "wide.png", conversations: says("<image>\nWhat?", "a dog") },
  { id: "text", conversations: says("a", "the dog and the cat") },
];

before(async () => {
  for (const [name, count] of Object.entries({ four: 4, seven: 7, many: 32 })) await drawFrames(name, count);
  cpSync(join(fixtures, "video/moving.gif"), join(media, "moving.gif"));
  cpSync(join(fixtures, "llava-next/images/wide.png"), join(media, "wide.png"));
  writeFileSync(join(folder, "rows.json"), JSON.stringify(rows));
  copyModel("average", {});
  copyModel("original", { add_time_instruction: true });
});

/** A tiny checkpoint that sees all frames of a video and has room for them. */
function copyModel(name: string, fields: object): void {
  const [from, to] = [join(fixtures, "llava-next-video", name), join(folder, name)];
  mkdirSync(to);
  const files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
  const more =
    name === "original" ? ["clip-vit-tiny-patch14-56"] : ["processor_config.json", "chat_template.jinja"];
  for (const file of [...files.slice(1), ...more]) symlinkSync(join(from, file), join(to, file));
  const config = JSON.parse(readFileSync(join(from, "config.json"), "utf8"));
  const sampling = { video_sampling: { rule: "all" } };
  writeFileSync(join(to, "config.json"), JSON.stringify({ ...config, ...sampling, ...fields }));
}

const recipeFor = (output: string, { data, ...fields }: Partial<RecipeFields> = {}) =>
  resolveRecipe({
    model: join(folder, "average"),
    projector: "loaded",
    train: ["projector", "languageModel"],
    data: { rows: join(folder, "rows.json"), images: media, template: "vicuna_v1", ...data },
    optimizer: { learningRate: 2e-3 },
    batchSize: rows.length,
    epochs: 1000,
    dtype: "float32",
    output: join(folder, output),
    ...fields,
  });

const lossOf = async (fields: Partial<RecipeFields>): Promise<number> => {
  using stage = await prepareStage(recipeFor("unused", fields), quiet);
  const batches = await stage.source.next();
  const units = batches.reduce((sum, batch) => sum + batch.units, 0);
  const loss = batches.reduce(
    (sum, batch) => sum + scope(() => stage.objective.loss(batch as never).item()),
    0,
  );
  for (const batch of batches) batch[Symbol.dispose]();
  return loss / units;
};

describe("rows about videos, images and text in one step", () => {
  const stages: Record<string, Partial<RecipeFields>> = {
    "a frozen tower": {},
    "features on disk": { features: { cache: join(folder, "features"), dtype: "float32" } },
    "a tower that learns": { train: ["visionTower", "projector", "languageModel"] },
    "other threads": { data: { workers: 2 } },
  };

  test("have one loss, however their frames come to the model", async () => {
    const whole = await lossOf({});
    assert.ok(Number.isFinite(whole));
    for (const [name, fields] of Object.entries(stages))
      assert.ok(Math.abs((await lossOf(fields)) - whole) < 1e-5, name);
    const apart = { batchSize: 7, accumulation: 7 };
    assert.ok(Math.abs((await lossOf(apart)) - whole) < 1e-5, "row by row");
    const flipped = await lossOf({ data: { flips: true } });
    assert.ok(Math.abs(flipped - whole) < 1e-2);
  });

  test("go on after a kill as if there had been none", async () => {
    for (const name of ["features on disk", "a tower that learns"]) {
      const fields = stages[name]!;
      const every = { checkpoint: { every: 1, keep: 9 }, ...fields };
      const whole = recipeFor(`whole ${name}`, { ...every, maxSteps: 3 });
      await runRecipe(whole, quiet);
      const stop = new AbortController();
      const progress = () => ({
        update: (done: number) => void (done === 2 && stop.abort()),
        increment() {},
        stop() {},
      });
      const cut = recipeFor(`cut ${name}`, { ...every, maxSteps: 3 });
      const { step } = await runRecipe(cut, { ...quiet, progress, signal: stop.signal });
      assert.ok(step < 3);
      await runRecipe(cut, { ...quiet, resume: true });
      assert.deepEqual(finalBytes(cut), finalBytes(whole), name);
    }
  });

  test("keep the order of their media, and bring as many features as tokens for any number of frames", async () => {
    const [first, second] = ["four", "many"];
    const about = (id: string, videos: string[]) => ({
      id,
      videos,
      conversations: says("<video> then <video>", "one"),
    });
    const losses: number[] = [];
    for (const videos of [
      [first, second],
      [second, first],
    ]) {
      const path = join(folder, "order.json");
      writeFileSync(path, JSON.stringify([about("order", videos as string[])]));
      using stage = await prepareStage(recipeFor("unused", { data: { rows: path }, batchSize: 1 }), quiet);
      const [batch] = (await stage.source.next()) as never as [Parameters<typeof stage.objective.loss>[0]];
      assert.deepEqual(
        batch.layouts.map((layout) => layout.tiles === "frames" && layout.frames),
        videos.map((name) => (name === "four" ? 4 : 32)),
      );
      assert.equal(batch.images?.shape[0], 36);
      losses.push(scope(() => stage.objective.loss(batch as never).item()));
      batch[Symbol.dispose]();
    }
    assert.notEqual(losses[0], losses[1]);
  });
});

describe("the time instruction", () => {
  test("stands once behind a video, in every epoch, and not in the row", async () => {
    const path = join(folder, "timed.json");
    const timed = { data: { rows: path }, batchSize: 1, model: join(folder, "original") };
    writeFileSync(path, JSON.stringify([rows[0]]));
    using stage = await prepareStage(recipeFor("unused", timed), quiet);
    const texts: string[] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      const [batch] = await stage.source.next();
      const { inputIds } = batch as never as { inputIds: { toNumbers(): number[] } };
      const { tokenizer, imageTokenId } = stage.pretrained.processor;
      texts.push(tokenizer.decode(inputIds.toNumbers().filter((id) => id >= 0 && id !== imageTokenId)));
      batch![Symbol.dispose]();
    }
    assert.equal(texts[0]!.match(/4 frames are uniformly sampled/g)?.length, 1, texts[0]);
    assert.deepEqual(new Set(texts).size, 1);
  });
});

describe("the ways in which videos come beside images", () => {
  const many = join(folder, "mix.json");
  const count = 32;
  before(() => {
    const about = (kind: "image" | "video", name: string) =>
      Array.from({ length: count }, (_, i) => ({
        id: `${kind} ${i}`,
        [kind]: name,
        conversations: says("<image>\nWhat?", "the dog"),
      }));
    writeFileSync(many, JSON.stringify([...about("image", "wide.png"), ...about("video", "four")]));
  });

  /** Kinds of the rows of each step of an epoch. */
  async function epochOf(
    videos: "mixed" | "separated" | "only",
    lines: string[] = [],
  ): Promise<Set<string>[]> {
    const recipe = recipeFor("unused", { data: { rows: many, videos }, batchSize: 8, seed: 3 });
    using stage = await prepareStage(recipe, { ...quiet, report: (line) => void lines.push(line) });
    const steps: Set<string>[] = [];
    while (steps.length < Math.ceil(stage.source.stepsPerEpoch)) {
      const batches = await stage.source.next();
      steps.push(new Set(batches.flatMap(({ samples }) => samples.map((id) => id.split(" ")[0]!))));
      for (const batch of batches) batch[Symbol.dispose]();
    }
    return steps;
  }

  test("mixed: nearly all steps hold both; separated: none but the last; only: videos alone", async () => {
    const both = (steps: readonly Set<string>[]) => steps.filter(({ size }) => size === 2).length;
    const mixed = await epochOf("mixed");
    assert.ok(both(mixed) >= 0.9 * mixed.length);
    const separated = await epochOf("separated");
    assert.equal(both(separated.slice(0, -1)), 0);
    const lines: string[] = [];
    const only = await epochOf("only", lines);
    assert.ok(only.every((kinds) => kinds.size === 1 && kinds.has("video")));
    assert.ok(lines.some((line) => line.includes(`${count} rows without a video are left out`)));
  });

  test("are refused where no row has a video", async () => {
    const path = join(folder, "images.json");
    writeFileSync(path, JSON.stringify([rows[5]]));
    const recipe = recipeFor("unused", { data: { rows: path, videos: "only" } });
    await assert.rejects(prepareStage(recipe, quiet), /no row has a video/);
  });
});

describe("a pair of answers about videos", () => {
  const answers = { chosen: "the dog runs", rejected: "no" };
  const pairs = [
    { id: "hound", video: "many", prompt: "<video>\nWhat?", ...answers, chosen_score: 5 },
    { id: "two", videos: ["seven", "moving.gif"], prompt: "Which?", ...answers },
    { id: "text", prompt: "a", ...answers },
    { id: "both", images: ["wide.png"], videos: ["four"], prompt: "<video> <image>", ...answers },
  ];
  const path = join(folder, "pairs.jsonl");
  const pairsRecipe = (output: string, fields: Partial<RecipeFields> = {}) =>
    recipeFor(output, {
      objective: { type: "preference" },
      train: ["languageModel"],
      data: { rows: path },
      batchSize: pairs.length,
      ...fields,
    });
  before(() => writeFileSync(path, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join("")));

  test("is seen once for both of them, and has the loss of the two rows apart", async () => {
    using stage = await prepareStage(pairsRecipe("unused"), quiet);
    const [batch] = (await stage.source.next()) as never as [Parameters<typeof stage.objective.loss>[0]];
    const gif = batch.layouts.flatMap((layout) => (layout.tiles === "frames" ? [layout.frames] : []));
    const tiles = 3; // of the image, which is wide
    assert.equal(batch.images?.shape[0], gif.reduce((sum, frames) => sum + frames, 0) + tiles);
    assert.equal(gif.length, 4);
    assert.equal(batch.samples.length, 8);
    const loss = scope(() => stage.objective.loss(batch as never).item()) / pairs.length;
    assert.ok(Math.abs(loss - Math.LN2) < 1e-6, `${loss}`);
    batch[Symbol.dispose]();
  });

  test("is learnt with a reference that is computed once, and known again", async () => {
    const lines: string[] = [];
    const told = { ...quiet, report: (line: string) => void lines.push(line) };
    const fields = { optimizer: { learningRate: 5e-3 }, maxSteps: 6 } as const;
    const objective = {
      type: "preference",
      reference: "precomputed",
      referenceFile: join(folder, "reference.jsonl"),
    } as const;
    await runRecipe(pairsRecipe("stored", { ...fields, objective }), told);
    assert.ok(lines.some((line) => line.startsWith("reference: 0 of 4 pairs")));
    const losses = readFileSync(join(folder, "stored/log.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { loss: number }).loss);
    assert.ok(losses.at(-1)! < losses[0]! - 0.05, losses.join(" "));
    await runRecipe(pairsRecipe("again", { ...fields, objective, maxSteps: 1 }), told);
    assert.ok(lines.some((line) => line.startsWith("reference: 4 of 4 pairs")));
  });
});

describe("another way of seeing videos", () => {
  test("is kept by a whole model, and refused where its checkpoint has no word for it", async () => {
    const video = {
      sampling: { rule: "uniform", frames: 3 },
      pooling: { mode: "max", stride: 4, place: "before" },
    } as const;
    for (const model of ["average", "original"]) {
      const fields = { model: join(folder, model), video, maxSteps: 1, batchSize: 1 };
      const { result } = await runRecipe(recipeFor(`sees ${model}`, fields), quiet);
      using loaded = await loadPretrained({ kind: "folder", path: result! }, {});
      const { sampling, pooling } = loaded.processor.videoConfig;
      assert.deepEqual({ sampling, pooling }, video, model);
    }
    const bilinear = { pooling: { mode: "bilinear", stride: 2, place: "after" } } as const;
    await assert.rejects(
      prepareStage(recipeFor("unused", { video: bilinear }), quiet),
      /video.pooling is .* no word/,
    );
    const conv = { pooling: { mode: "conv", stride: 2, place: "before" } } as const;
    await assert.rejects(
      prepareStage(recipeFor("unused", { video: conv }), quiet),
      /has weights that a model is loaded with/,
    );
  });
});

describe("a video that cannot be used", () => {
  test("is told in one line that names the row, or left out and counted", async () => {
    mkdirSync(join(media, "empty"), { recursive: true });
    writeFileSync(join(media, "words.mp4"), "no video at all");
    writeFileSync(join(media, "short.gif"), readFileSync(join(media, "moving.gif")).subarray(0, 900));
    const bad = {
      empty: /holds no frames/,
      "words.mp4": /looks like text/,
      "short.gif": /damaged or cut short/,
      gone: /does not exist/,
      "wide.png": /is a PNG image, expected a video/,
    };
    const about = (name: string) => ({ id: name, video: name, conversations: says("<video>", "no") });
    const path = join(folder, "bad.json");
    for (const [name, message] of Object.entries(bad)) {
      writeFileSync(path, JSON.stringify([about(name)]));
      using stage = await prepareStage(
        recipeFor("unused", { data: { rows: path }, batchSize: 1 }),
        quiet,
      ).catch((error: LlavaError) => {
        assert.match(error.message, message);
        return undefined;
      });
      if (!stage) continue;
      await assert.rejects(stage.source.next(), (error: LlavaError) => {
        assert.match(error.message, message);
        assert.match(error.message, new RegExp(`bad.json: row 1 .id ${name}`));
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    }
    const lines: string[] = [];
    writeFileSync(path, JSON.stringify([...Object.keys(bad).map(about), rows[0]]));
    const recipe = recipeFor("skips", { data: { rows: path, onBadRow: "skip" }, batchSize: 6, maxSteps: 1 });
    await runRecipe(recipe, { ...quiet, report: (line) => void lines.push(line) });
    assert.ok(
      lines.some((line) => /skipping 1 unusable rows, the first: .*gone/.test(line)),
      lines.join("\n"),
    );
    assert.ok(
      lines.some((line) => /\(4 so far\)$/.test(line)),
      lines.join("\n"),
    );
  });
});
