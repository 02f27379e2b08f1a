import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from "../../checkpoint/index.ts";
import { Prefetcher, type RowLoader } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import { makeFolder } from "../../files/index.ts";
import type { ImageProcessorConfig } from "../../processing/image/index.ts";
import type { ProgressFactory } from "../../setup/index.ts";
import { aten, type DType, keep, scope, stack, type Tensor } from "../../torch/index.ts";
import type { ImageView } from "./image-inputs.ts";
import { type FeatureOptions, type FeatureSource, LiveFeatures } from "./live-features.ts";

const shardSize = 256;

export interface FeatureCacheOptions extends FeatureOptions {
  readonly loader: RowLoader;
  /** How pixels are made, which features depend on. */
  readonly processor: ImageProcessorConfig;
  /** What image names are relative to. */
  readonly folder: string;
  /** Parent of the folder, named by a hash of everything the features depend on, that the shards lie in. */
  readonly cache: string;
  /** Identifies the tower's weights and its pooling. */
  readonly towerId: string;
  /** In a fixed order: it is part of the key. */
  readonly images: readonly string[];
  /** Whether mirrored copies are kept as well. */
  readonly mirrored: boolean;
  readonly dtype: DType;
}

/**
 * Features of a frozen tower on disk, computed once and read through memory maps. Shards of 256 images are written
 * whole or not at all, so that an interrupted build goes on where it was.
 */
export class FeatureCache implements FeatureSource {
  readonly #index: ReadonlyMap<string, number>;
  readonly #shards: ReadonlyMap<string, Tensor>;
  readonly #unusable: ReadonlySet<string>;

  private constructor(
    images: readonly string[],
    shards: ReadonlyMap<string, Tensor>,
    unusable: ReadonlySet<string>,
  ) {
    this.#index = new Map(images.map((image, i) => [image, i]));
    this.#shards = shards;
    this.#unusable = unusable;
  }

  /** Opens the cache, after computing whatever it lacks. */
  static async open(
    options: FeatureCacheOptions,
    { progress, signal }: { progress: ProgressFactory; signal?: AbortSignal | undefined },
  ): Promise<FeatureCache> {
    const { images, dtype } = options;
    const folder = join(options.cache, cacheKey(options));
    makeFolder(folder);
    const live = new LiveFeatures(options);
    const parts = shardsOf(images, options.mirrored).map((part) => ({
      ...part,
      path: join(folder, part.name),
    }));
    const missing = parts.filter(({ path }) => !existsSync(path));
    const total = missing.reduce((sum, { images: inside }) => sum + inside.length, 0);
    if (total > 0) {
      const bar = progress({ label: "features", total, unit: "images" });
      try {
        for (const { path, images: inside, mirrored } of missing)
          await writeShard(path, inside, mirrored, { ...options, live, dtype, bar, signal });
      } finally {
        bar.stop();
      }
    }
    const unusable = new Set<string>();
    const shards = new Map<string, Tensor>();
    for (const { name, path } of parts) {
      for (const image of JSON.parse(
        readSafetensorsHeader(path).metadata.get("unusable") ?? "[]",
      ) as string[])
        unusable.add(image);
      shards.set(name, keep(openSafetensors(path).read("features")));
    }
    return new FeatureCache(images, shards, unusable);
  }

  readonly takesPixels = false;

  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]> {
    const rows = views.map((view) => {
      const row = scope(() => this.#row(view)?.unsqueeze(0)); // [1, tokens, C]
      return row ?? new LlavaError("image", `${view.name} cannot be decoded`);
    });
    return Promise.resolve(rows);
  }

  isUnusable(image: string): boolean {
    return this.#unusable.has(image);
  }

  /** Mean and deviation of every channel over all images and rows, unmirrored. */
  statistics(): { mean: Tensor; std: Tensor } {
    return scope(() => {
      const usable = [...this.#index.keys()].filter((image) => !this.#unusable.has(image));
      let sum: Tensor | undefined;
      let squares: Tensor | undefined;
      let rows = 0;
      for (let start = 0; start < usable.length; start += shardSize) {
        [sum, squares] = scope(() => {
          const views = usable.slice(start, start + shardSize).map((name) => ({ name, mirrored: false }));
          const features = stack(views.map((view) => this.#row(view)!))
            .flatten(0, 1)
            .to("float64"); // [rows, C]
          rows += features.size(0);
          const [own, ownSquares] = [features.sum([0]), features.mul(features).sum([0])];
          return [sum ? sum.add(own) : own, squares ? squares.add(ownSquares) : ownSquares];
        });
      }
      if (!sum || !squares) throw new LlavaError("data", "no image could be decoded");
      const mean = sum.div(rows);
      const variance = squares.div(rows).sub(mean.mul(mean)).clamp(1e-8);
      return { mean: keep(mean.to("float32")), std: keep(variance.sqrt().to("float32")) };
    });
  }

  #row({ name, mirrored }: Pick<ImageView, "name" | "mirrored">): Tensor | undefined {
    const at = this.#index.get(name);
    if (at === undefined) throw new LlavaError("data", `image ${name} is not in the feature cache`);
    if (this.#unusable.has(name)) return undefined;
    const shard = this.#shards.get(shardName(Math.floor(at / shardSize), mirrored));
    if (!shard) throw new LlavaError("usage", "the feature cache was opened without mirrored images");
    return shard.select(0, at % shardSize);
  }
}

const shardName = (number: number, mirrored: boolean): string =>
  `${mirrored ? "mirrored" : "features"}-${String(number).padStart(5, "0")}.safetensors`;

function shardsOf(images: readonly string[], mirrored: boolean) {
  const starts = Array.from({ length: Math.ceil(images.length / shardSize) }, (_, i) => i);
  return [false, ...(mirrored ? [true] : [])].flatMap((flip) =>
    starts.map((i) => ({
      name: shardName(i, flip),
      images: images.slice(i * shardSize, (i + 1) * shardSize),
      mirrored: flip,
    })),
  );
}

async function writeShard(
  path: string,
  images: readonly string[],
  mirrored: boolean,
  {
    live,
    loader,
    folder,
    dtype,
    bar,
    signal,
    batchSize,
    tower,
  }: FeatureCacheOptions & {
    live: LiveFeatures;
    bar: { increment(by?: number): void };
    signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const rows: (Tensor | undefined)[] = [];
  const prefetcher = new Prefetcher(loader, (name: string) => ({ folder, images: [{ name }] }));
  const pixelsOf = async (name: string) => (await prefetcher.take(name)).pixels[0]!;
  for (let start = 0; start < images.length; start += batchSize) {
    if (signal?.aborted) throw new LlavaError("aborted", "stopped while computing features");
    const names = images.slice(start, start + batchSize);
    prefetcher.begin(images.slice(start, start + 2 * batchSize));
    const views = names.map((name) => ({ name, mirrored, pixels: () => pixelsOf(name) }));
    const features = await live.load(views);
    rows.push(
      ...features.map((row) =>
        row instanceof LlavaError ? undefined : scope(() => row.squeeze(0).to(dtype)),
      ),
    );
    for (const row of features) if (!(row instanceof LlavaError)) row.dispose();
    bar.increment(names.length);
  }
  scope(() => {
    const blank = aten.full([tower.tokens, tower.hiddenSize], 0, dtype);
    const features = stack(rows.map((row) => row ?? blank));
    const unusable = images.filter((_, i) => !rows[i]);
    writeSafetensors(path, new Map([["features", features]]), { unusable: JSON.stringify(unusable) });
  });
  for (const row of rows) row?.dispose();
}

/** Names and sizes stand for the images' contents. */
function cacheKey({ towerId, processor, dtype, images, folder }: FeatureCacheOptions): string {
  const files = images.map((image) => [
    image,
    statSync(resolve(folder, image), { throwIfNoEntry: false })?.size ?? -1,
  ]);
  const hash = createHash("sha256").update(JSON.stringify({ towerId, processor, dtype, files }));
  return hash.digest("hex").slice(0, 16);
}
