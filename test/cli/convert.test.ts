// llava convert, there and back: npm test -- test/cli/convert.test.ts
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../src/checkpoint/index.ts";
import { LocalModel, traceStages } from "../../src/generation/index.ts";
import { loadCheckpoint } from "../../src/pretrained/index.ts";
import { inference } from "../../src/torch/index.ts";
import { llava, llavaHere } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const folder = temporaryFolder("llava-convert");
mock.method(console, "log", () => {}); // of commands that run in this process
let made = 0;

/** The new folder of a conversion that must succeed. */
async function converted(source: string, to: string, ...options: string[]): Promise<string> {
  const output = join(folder, String(made++));
  const { status, stderr } = await llavaHere([
    "-q",
    "convert",
    source,
    "--to",
    to,
    "--output",
    output,
    ...options,
  ]);
  assert.equal(status, 0, stderr);
  assert.equal(existsSync(`${output}.partial`), false);
  return output;
}

/** Bytes of every tensor of a model under canonical names, with its logits about an image or a video, and how it sees videos. */
async function contents(source: string, image: string | { path: string }) {
  using pretrained = await loadCheckpoint(source);
  const parameters = Array.from(pretrained.model.namedParameters(), ([name, tensor]) => [
    name,
    { dtype: tensor.dtype, shape: tensor.shape, bytes: Buffer.from(tensor.toBytes()).toString("base64") },
  ]);
  const prompt = { raw: "USER: <image>\nWhat is it? ASSISTANT:", images: [image] };
  const seen = typeof image === "string" ? {} : { frames: 2 };
  using inputs = await new LocalModel(pretrained, { id: source }).prepare(prompt, seen);
  const logits = inference(() => traceStages(pretrained.model, inputs).get("logits")!);
  const [, positions = 0, words = 0] = logits.shape;
  const { frames: _, ...videos } = pretrained.processor.videoConfig;
  return {
    ...{ tensors: new Map(parameters as [string, object][]), logits: logits.toNumbers(), positions, words },
    videos,
  };
}

type Held = Omit<Awaited<ReturnType<typeof contents>>, "videos">;

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

const models = [
  ...["llama", "qwen2", "original", "legacy-4x"].map((name) => `llava/${name}`),
  ...["llama", "mistral", "original"].map((name) => `llava-next/${name}`),
  ...["average", "max", "conv", "original"].map((name) => `llava-next-video/${name}`),
  ...["onevision", "onevision-original", "interleave", "qwen3", "gemma"].map((name) => `families/${name}`),
];

for (const name of models)
  describe(name, async () => {
    const source = join(fixtures, name);
    const isOfVideos = name.startsWith("llava-next-video/");
    // Frames of the tower's own size, which are not resized: the layouts would do it by other arithmetic.
    const image = isOfVideos
      ? { path: join(fixtures, "llava-next-video/videos/exact") }
      : join(fixtures, name.split("/")[0]!, "images", "wide.png");
    const isOriginal = name.endsWith("original");
    const [there, back] = isOriginal ? ["hf", "original"] : ["original", "hf"];

    test("there and back is the same model, bit for bit", async () => {
      const other = await converted(source, there!);
      const again = await converted(other, back!, "--max-shard-size", "30KB");
      const seen = [
        await contents(source, image),
        await contents(other, image),
        await contents(again, image),
      ];
      // Image models in the original layout say nothing of videos, which transformers' kinds do.
      const ways = isOfVideos ? seen.map(({ videos }) => videos) : [];
      for (const way of ways) assert.deepEqual(way, ways[0]);
      const [first, between, last] = seen.map(({ videos: _, ...others }) => others) as [Held, Held, Held];
      assert.deepEqual(last, first);
      const grown = between.words - first.words;
      assert.equal(grown, isOriginal ? 44 : 0);
      const logits = between.logits.filter((_, at) => at % between.words < first.words);
      assert.deepEqual(logits, first.logits);
      const shards = readdirSync(again).filter((file) => file.endsWith(".safetensors"));
      assert.ok(shards.length > 2);
      const index = readJson(again, "model.safetensors.index.json");
      assert.deepEqual([...new Set(Object.values(index.weight_map))].sort(), shards.sort());
    });

    test("there and back, what config.json says is the same", async () => {
      const again = await converted(await converted(source, there!), back!);
      const [before, after] = [readJson(source, "config.json"), readJson(again, "config.json")];
      const fields = isOriginal
        ? [
            "model_type",
            "vocab_size",
            "mm_projector_type",
            "mm_vision_select_layer",
            "mm_vision_select_feature",
            "image_aspect_ratio",
            "mm_patch_merge_type",
            "hidden_size",
            "rope_scaling",
            "tie_word_embeddings",
            "pad_token_id",
            "mm_resampler_type",
            "mm_spatial_pool_mode",
          ]
        : [
            "model_type",
            "image_token_index",
            "vision_feature_layer",
            "vision_feature_select_strategy",
            "projector_hidden_act",
            "spatial_pool_mode",
            "spatial_pool_stride",
            "video_token_index",
          ];
      for (const field of fields) assert.deepEqual(after[field] ?? null, before[field] ?? null, field);
      assert.deepEqual(after.image_grid_pinpoints ?? null, before.image_grid_pinpoints ?? null);
      assert.equal(after.text_config?.model_type, before.text_config?.model_type);
      const words = (path: string) => readJson(path, "tokenizer.json").added_tokens;
      assert.deepEqual(words(again), words(source));
    });
  });

describe("llava convert", () => {
  test("reports every tensor as JSON, and what the result lacks", async () => {
    const output = join(folder, "report");
    const { status, stdout, stderr } = await llava([
      "-q",
      "convert",
      join(fixtures, "llava-next/original"),
      "--to",
      "hf",
      "--output",
      output,
      "--json",
    ]);
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout);
    using written = openCheckpoint(output);
    assert.deepEqual(
      report.tensors.map(({ name }: { name: string }) => name).sort(),
      [...written.names()].sort(),
    );
    assert.ok(report.tensors.every(({ isEqual }: { isEqual: boolean }) => isEqual));
    assert.equal(report.largestDifference, 0);
    assert.deepEqual([report.from, report.to, report.files], ["original", "hf", ["model.safetensors"]]);
    assert.deepEqual(report.leftOut.fields.sort(), [
      "image_crop_resolution",
      "image_split_resolution",
      "mm_vision_tower_lr",
    ]);
    assert.match(report.notes.join("\n"), /width and height.*28×28[\s\S]*44 rows are added to the 276/);
    const { preprocessor, processor } = {
      preprocessor: readJson(output, "preprocessor_config.json"),
      processor: readJson(output, "processor_config.json"),
    };
    assert.equal(preprocessor.image_processor_type, "LlavaNextImageProcessor");
    assert.deepEqual(processor.patch_size, 14);
  });

  test("--dtype converts, and says how far that is from the source", async () => {
    const output = await converted(join(fixtures, "llava/llama"), "original", "--dtype", "bf16");
    using written = openCheckpoint(output);
    for (const name of written.names()) assert.equal(written.info(name).dtype, "bfloat16", name);
    assert.equal(readJson(output, "config.json").torch_dtype, "bfloat16");
  });

  /** A copy of a fixture with other fields in config.json. */
  function changed(name: string, change: object): string {
    const path = join(folder, `changed-${made++}`);
    cpSync(join(fixtures, name), path, { recursive: true });
    writeFileSync(join(path, "config.json"), JSON.stringify({ ...readJson(path, "config.json"), ...change }));
    return path;
  }

  const bad: Record<string, [() => string, string, RegExp]> = {
    "features of several layers": [
      () => join(fixtures, "llava/multi-layer"),
      "original",
      /vision_feature_layer/,
    ],
    "another activation in the projector": [
      () => changed("llava/llama", { projector_hidden_act: "relu" }),
      "original",
      /projector_hidden_act/,
    ],
    "another merge": [
      () => changed("llava-next/original", { mm_patch_merge_type: "spatial_unpad_nobase" }),
      "hf",
      /mm_patch_merge_type/,
    ],
    "a built-in model": [() => "llava-smol-135m", "hf", /built in/],
  };
  for (const [what, [source, to, message]] of Object.entries(bad))
    test(`refuses ${what} in one line, and leaves nothing`, async () => {
      const output = join(folder, `refused-${made++}`);
      const { status, stderr } = await llavaHere(["-q", "convert", source(), "--to", to, "--output", output]);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
      assert.ok(stderr.trim().split("\n").length <= 2, stderr);
      assert.equal(existsSync(output) || existsSync(`${output}.partial`), false);
    });

  test("leaves nothing on a full disk", async (context) => {
    const full = join(folder, "full");
    mkdirSync(full);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", full], { stdio: "ignore" });
    } catch {
      return context.skip("mounting a small file system takes root");
    }
    try {
      const output = join(full, "model");
      const source = join(fixtures, "llava/llama");
      const { status, stderr } = await llavaHere([
        "-q",
        "convert",
        source,
        "--to",
        "original",
        "--output",
        output,
      ]);
      assert.notEqual(status, 0);
      assert.match(stderr, /cannot be written: ENOSPC/);
      assert.deepEqual(readdirSync(full), []);
    } finally {
      execFileSync("umount", [full]);
    }
  });

  test("refuses a folder that holds something", async () => {
    const output = join(folder, "taken");
    mkdirSync(output);
    writeFileSync(join(output, "mine.txt"), "mine");
    const source = join(fixtures, "llava/llama");
    const { status, stderr } = await llavaHere([
      "-q",
      "convert",
      source,
      "--to",
      "original",
      "--output",
      output,
    ]);
    assert.notEqual(status, 0);
    assert.match(stderr, /not empty/);
    assert.deepEqual(readdirSync(output), ["mine.txt"]);
  });
});
