// Frozen features on disk: npm test -- src/training/features/feature-cache.test.ts
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertClose, largestDifference } from "../../../test/support/close.ts";
import { drawSquares, squaresRecipe } from "../../../test/support/coloured-squares.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { rowLoaderHere } from "../../data/index.ts";
import type { LlavaError } from "../../errors.ts";
import { loadCheckpoint } from "../../pretrained/index.ts";
import { silentProgress } from "../../setup/index.ts";
import { cat, type Tensor } from "../../torch/index.ts";
import { prepareStage } from "../stage/stage.ts";
import { FeatureCache } from "./feature-cache.ts";
import type { ImageView } from "./image-inputs.ts";
import { frozenTower, LiveFeatures } from "./live-features.ts";

const folder = temporaryFolder("llava-features");
const cache = join(folder, "cache");
const quiet = { progress: silentProgress, report: () => {} };
let images: string[];

before(async () => {
  await drawSquares(folder, "train", 4);
  images = readdirSync(folder).filter((name) => name.endsWith(".png"));
  writeFileSync(join(folder, "broken.png"), "this is not an image");
});

const fixture = (name: string) => fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));

async function options(names: readonly string[], mirrored = false, checkpoint = "llava/llama") {
  const { model, processor } = await loadCheckpoint(fixture(checkpoint));
  const tower = frozenTower(model.visionTower.requiresGrad_(false));
  const loader = rowLoaderHere(processor);
  const common = { tower, processor: processor.imageConfig, loader, folder, batchSize: 3 };
  return {
    ...common,
    cache,
    towerId: "tiny",
    dtype: "float32" as const,
    images: names.map((name) => ({ name })),
    video: {},
    mirrored,
  };
}

const viewsIn = (given: Awaited<ReturnType<typeof options>>, mirrored: boolean): ImageView[] =>
  given.images.map(({ name }) => {
    const { loader, folder } = given;
    const pixels = async () => (await loader.load({ folder, mirrored, images: [{ name }] })).pixels[0]!;
    return { key: name, mirrored, pixels };
  });

const whole = (rows: readonly (Tensor | LlavaError)[]): Tensor => cat(rows as Tensor[]);

describe("the feature cache", () => {
  test("holds what the tower gives, mirrored images too", async () => {
    const given = await options(images, true);
    const cached = await FeatureCache.open(given, quiet);
    const live = new LiveFeatures({ ...given, batchSize: 1 });
    const [plain, mirrored] = [viewsIn(given, false), viewsIn(given, true)];
    assertClose(whole(await cached.load(plain)), whole(await live.load(plain)), 1e-5, "features");
    assertClose(whole(await cached.load(mirrored)), whole(await live.load(mirrored)), 1e-5, "mirrored");
    assert.ok(largestDifference(whole(await cached.load(plain)), whole(await cached.load(mirrored))) > 0.01);
  });

  test("holds every tile of images that are cut, and their sizes", async () => {
    const names = ["wide.png", "tall.png", "square.png"];
    const tiled = await options(names, true, "llava-next/llama");
    const given = { ...tiled, folder: fixture("llava-next/images"), cache: join(folder, "tiles") };
    const cached = await FeatureCache.open(given, quiet);
    const live = new LiveFeatures({ ...given, batchSize: 100 });
    for (const mirrored of [false, true]) {
      const views = viewsIn(given, mirrored);
      const [kept, expected] = [await cached.load(views), await live.load(views)] as Tensor[][];
      assert.deepEqual(
        kept!.map(({ shape }) => shape[0]),
        [4, 5, 5],
      );
      for (const [at, image] of kept!.entries()) assertClose(image, expected![at]!, 1e-5, names[at]!);
    }
    assert.deepEqual(cached.shapeOf("wide.png"), { size: { width: 97, height: 31 } });
  });

  test("knows mean and deviation of each channel", async () => {
    const given = await options(images);
    const cached = await FeatureCache.open(given, quiet);
    const rows = whole(await cached.load(viewsIn(given, false))).flatten(0, 1);
    const { mean, std } = cached.statistics();
    assertClose(mean, rows.mean([0]), 1e-5, "mean");
    const centred = rows.sub(rows.mean([0]));
    assertClose(std, centred.mul(centred).mean([0]).sqrt(), 1e-4, "deviation");
  });

  test("is computed once; a lost shard alone is computed again", async () => {
    const computed = async () => {
      let count = 0;
      const increment = (by = 1) => {
        count += by;
      };
      const progress = () => ({ update() {}, increment, stop() {} });
      await FeatureCache.open(await options(images, true), { progress });
      return count;
    };
    await computed();
    assert.equal(await computed(), 0);
    const [key] = readdirSync(cache).filter((name) => statSync(join(cache, name)).isDirectory());
    rmSync(join(cache, key!, "mirrored-00000.safetensors"));
    assert.equal(await computed(), images.length);
  });

  test("is another one for other images, or the same names with other contents", async () => {
    const keys = async (names: readonly string[]) => {
      await FeatureCache.open(await options(names), quiet);
      return readdirSync(cache).length;
    };
    const before = await keys(images);
    assert.equal(await keys(images.slice(1)), before + 1);
    const copy = join(folder, "copy.png");
    writeFileSync(copy, "");
    await keys(["copy.png"]);
    writeFileSync(copy, "longer");
    assert.equal(await keys(["copy.png"]), before + 3);
  });
});

describe("an image that cannot be decoded", () => {
  const rows = () => {
    const row = (image: string) => ({
      id: `row of ${image}`,
      image,
      conversations: [
        { from: "human", value: "<image>" },
        { from: "gpt", value: "red" },
      ],
    });
    const path = join(folder, "with-broken.json");
    writeFileSync(path, JSON.stringify([...images, "broken.png", "missing.png"].map(row)));
    return path;
  };
  const data = (onBadRow: "error" | "skip") => ({
    rows: rows(),
    images: folder,
    template: "plain",
    answerEnd: "</s>",
    onBadRow,
  });

  test("is an error that names its row", async () => {
    const recipe = squaresRecipe(folder, { data: data("error") });
    await assert.rejects(
      prepareStage(recipe, quiet),
      /\(id row of missing\.png\): .*does not exist \(1 unusable/,
    );
    writeFileSync(join(folder, "missing.png"), "there, but damaged");
    await assert.rejects(
      prepareStage(recipe, quiet),
      /\(id row of broken\.png\): .*cannot be decoded \(2 unusable rows/,
    );
    rmSync(join(folder, "missing.png"));
  });

  for (const store of ["", cache])
    test(`is left out and reported where that is wanted, ${store ? "cached" : "not cached"}`, async () => {
      const lines: string[] = [];
      const features = { cache: store, dtype: "float32" as const };
      const recipe = squaresRecipe(folder, { data: data("skip"), features, batchSize: images.length + 1 });
      const report = (line: string) => void lines.push(line);
      using stage = await prepareStage(recipe, { ...quiet, report });
      const [batch] = await stage.source.next();
      assert.ok(batch!.samples.every((id) => !id.includes("broken") && !id.includes("missing")));
      assert.ok(batch!.samples.length >= images.length);
      assert.ok(lines.some((line) => /missing\.png/.test(line)));
      assert.equal(lines.filter((line) => /broken\.png/.test(line)).length, 1);
    });

  test("stops a run that keeps no features on disk when it is met", async () => {
    rmSync(join(folder, "missing.png"), { force: true });
    const path = join(folder, "with-broken.json");
    const found = JSON.parse(readFileSync(path, "utf8")).filter(
      ({ image }: { image: string }) => image !== "missing.png",
    );
    const own = join(folder, "found.json");
    writeFileSync(own, JSON.stringify(found));
    const features = { cache: "", dtype: "float32" as const };
    const recipe = squaresRecipe(folder, {
      data: { ...data("error"), rows: own },
      features,
      batchSize: images.length + 1,
    });
    using stage = await prepareStage(recipe, quiet);
    await assert.rejects(
      stage.source.next(),
      /found\.json: row 17 \(id row of broken\.png\): .*broken\.png: looks like text/,
    );
  });
});
