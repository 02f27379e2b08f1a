import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from "../../checkpoint/index.ts";
import { mediumKey, Prefetcher, type RowImage, type RowLoader } from "../../data/index.ts";
import { alone, type Communicator } from "../../distributed/index.ts";
import { LlavaError } from "../../errors.ts";
import { makeFolder } from "../../files/index.ts";
import { type ImageProcessorConfig, layoutOf, tilesOf } from "../../processing/image/index.ts";
import type { MediumShape } from "../../processing/processor/index.ts";
import type { ProgressFactory } from "../../setup/index.ts";
import { aten, cat, type DType, keep, scope, type Tensor } from "../../torch/index.ts";
import type { ImageView } from "./image-inputs.ts";
import { type FeatureOptions, type FeatureSource, LiveFeatures } from "./live-features.ts";

/** Images and videos of a shard; fewer where each is several tiles. */
const shardSize = ({ processor, images }: Pick<FeatureCacheOptions, "processor" | "images">): number =>
  images.some(({ isVideo }) => isVideo) ? 8 : processor.tiling === undefined ? 256 : 32;

export interface FeatureCacheOptions extends FeatureOptions {
  readonly loader: RowLoader;
  /** How pixels are made, which features depend on. */
  readonly processor: ImageProcessorConfig;
  /** How videos' frames are chosen and made pixels of. */
  readonly video: unknown;
  /** What image names are relative to. */
  readonly folder: string;
  /** Parent of the folder, named by a hash of everything the features depend on, that the shards lie in. */
  readonly cache: string;
  /** Identifies the tower's weights and its pooling. */
  readonly towerId: string;
  /** In a fixed order: it is part of the key. */
  readonly images: readonly RowImage[];
  /** Whether mirrored copies are kept as well. */
  readonly mirrored: boolean;
  readonly dtype: DType;
}

interface Building {
  readonly progress: ProgressFactory;
  readonly signal?: AbortSignal | undefined;
  readonly communicator?: Communicator | undefined;
}

/**
 * Features of a frozen tower on disk, computed once and read through memory maps: of every tile, where images are cut, with
 * the sizes of images, which decide how; of the frames that are seen of a video, with their times. Shards are written whole or
 * not at all, so that an interrupted build goes on where it was.
 */
export class FeatureCache implements FeatureSource {
  readonly #index: ReadonlyMap<string, number>;
  readonly #shards: ReadonlyMap<string, Shard>;
  readonly #shardSize: number;
  readonly #unusable = new Set<string>();
  readonly #shapes = new Map<string, MediumShape>();

  private constructor(images: readonly RowImage[], shards: ReadonlyMap<string, Shard>, shardSize: number) {
    this.#index = new Map(images.map((image, i) => [mediumKey(image), i]));
    this.#shards = shards;
    this.#shardSize = shardSize;
    for (const { unusable, shapes } of shards.values()) {
      for (const key of unusable) this.#unusable.add(key);
      for (const [key, shape] of shapes) this.#shapes.set(key, shape);
    }
  }

  /** Opens the cache, after computing whatever it lacks: each rank a part of it. */
  static async open(
    options: FeatureCacheOptions,
    { progress, signal, communicator = alone }: Building,
  ): Promise<FeatureCache> {
    const { images, dtype } = options;
    const size = shardSize(options);
    const folder = join(options.cache, cacheKey(options));
    makeFolder(folder);
    const live = new LiveFeatures(options);
    const parts = shardsOf(images, size, options.mirrored).map((part) => ({
      ...part,
      path: join(folder, part.name),
    }));
    const make = async (missing: typeof parts): Promise<void> => {
      const total = missing.reduce((sum, { images: inside }) => sum + inside.length, 0);
      if (total === 0) return;
      const bar = progress({ label: "features", total, unit: "images" });
      try {
        for (const { path, images: inside, mirrored } of missing)
          await writeShard(path, inside, mirrored, { ...options, live, dtype, bar, signal });
      } finally {
        bar.stop();
      }
    };
    const { rank, size: ranks } = communicator;
    const isMissing = ({ path }: { path: string }): boolean => !existsSync(path);
    await make(parts.filter((part, i) => i % ranks === rank && isMissing(part)));
    communicator.barrier();
    await make(parts.filter(isMissing)); // what ranks made on machines that share no disk with this one
    const shards = new Map(parts.map(({ name, path, images }) => [name, openShard(path, images, options)]));
    return new FeatureCache(images, shards, size);
  }

  readonly takesPixels = false;

  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]> {
    const rows = views.map((view) => {
      const row = scope(() => this.#tiles(view));
      return row ?? new LlavaError("image", `${view.key} cannot be decoded`);
    });
    return Promise.resolve(rows);
  }

  isUnusable(key: string): boolean {
    return this.#unusable.has(key);
  }

  shapeOf(key: string): MediumShape | undefined {
    return this.#shapes.get(key);
  }

  /** Mean and deviation of every channel over all images, frames and rows, unmirrored. */
  statistics(): { mean: Tensor; std: Tensor } {
    return scope(() => {
      const usable = [...this.#index.keys()].filter((key) => !this.#unusable.has(key));
      let sum: Tensor | undefined;
      let squares: Tensor | undefined;
      let rows = 0;
      for (let start = 0; start < usable.length; start += this.#shardSize) {
        [sum, squares] = scope(() => {
          const views = usable.slice(start, start + this.#shardSize).map((key) => ({ key, mirrored: false }));
          const features = cat(views.map((view) => this.#tiles(view)!))
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

  /** [tiles, tokens, C] */
  #tiles({ key, mirrored }: Pick<ImageView, "key" | "mirrored">): Tensor | undefined {
    const at = this.#index.get(key);
    if (at === undefined) throw new LlavaError("data", `${key} is not in the feature cache`);
    if (this.#unusable.has(key)) return undefined;
    const shard = this.#shards.get(shardName(Math.floor(at / this.#shardSize), mirrored));
    if (!shard) throw new LlavaError("usage", "the feature cache was opened without mirrored images");
    const [start, end] = shard.spans[at % this.#shardSize]!;
    return shard.features.slice(0, start, end);
  }
}

interface Shard {
  /** Of the tiles of its images, one after another: [N, tokens, C]. */
  readonly features: Tensor;
  /** Where the tiles of each image begin and end. */
  readonly spans: readonly (readonly [start: number, end: number])[];
  readonly unusable: readonly string[];
  /** Of videos, and of images that are cut into tiles. */
  readonly shapes: ReadonlyMap<string, MediumShape>;
}

const storedSize = z.object({ width: z.int(), height: z.int() });
const storedSizes = z.array(z.tuple([z.string(), storedSize]));
const storedSampled = z.object({
  indices: z.array(z.int()),
  times: z.array(z.number()),
  duration: z.number(),
});
const storedVideos = z.array(
  z.tuple([z.string(), z.object({ size: storedSize, isVideo: z.literal(true), sampled: storedSampled })]),
);

function openShard(
  path: string,
  images: readonly RowImage[],
  { processor }: Pick<FeatureCacheOptions, "processor">,
): Shard {
  const { metadata } = readSafetensorsHeader(path);
  const stored = (name: string): unknown => JSON.parse(metadata.get(name) ?? "[]");
  const unusable = stored("unusable") as string[];
  const sizes = storedSizes.parse(stored("sizes"));
  const videos = new Map(storedVideos.parse(stored("videos")));
  const shapes = new Map<string, MediumShape>([
    ...sizes.map(([name, size]) => [name, { size }] as const),
    ...videos,
  ]);
  let end = 0;
  const spans = images.map((image) => {
    const start = end;
    const shape = shapes.get(mediumKey(image));
    if (image.isVideo) end += shape?.sampled?.indices.length ?? 0;
    // Where images are whole, one that cannot be decoded has a place too.
    else if (processor.tiling === undefined) end += 1;
    else if (shape) end += tilesOf(layoutOf(shape.size, processor));
    return [start, end] as const;
  });
  return { features: keep(openSafetensors(path).read("features")), spans, unusable, shapes };
}

const shardName = (number: number, mirrored: boolean): string =>
  `${mirrored ? "mirrored" : "features"}-${String(number).padStart(5, "0")}.safetensors`;

function shardsOf(images: readonly RowImage[], size: number, mirrored: boolean) {
  const starts = Array.from({ length: Math.ceil(images.length / size) }, (_, i) => i);
  return [false, ...(mirrored ? [true] : [])].flatMap((flip) =>
    starts.map((i) => ({
      name: shardName(i, flip),
      images: images.slice(i * size, (i + 1) * size),
      mirrored: flip,
    })),
  );
}

async function writeShard(
  path: string,
  images: readonly RowImage[],
  mirrored: boolean,
  {
    live,
    loader,
    folder,
    dtype,
    bar,
    signal,
    batchSize: most,
    tower,
    processor,
  }: FeatureCacheOptions & {
    live: LiveFeatures;
    bar: { increment(by?: number): void };
    signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const rows: (Tensor | undefined)[] = [];
  const shapes = new Map<RowImage, MediumShape>();
  const prefetcher = new Prefetcher(loader, (image: RowImage) => ({ folder, mirrored, images: [image] }));
  const pixelsOf = async (image: RowImage) => {
    const { pixels, shapes: found } = await prefetcher.take(image);
    if (!(pixels[0] instanceof LlavaError)) shapes.set(image, found[0]!);
    return pixels[0]!;
  };
  // All frames of a video are there at once.
  const batchSize = images.some(({ isVideo }) => isVideo) ? 1 : most;
  for (let start = 0; start < images.length; start += batchSize) {
    if (signal?.aborted) throw new LlavaError("aborted", "stopped while computing features");
    const batch = images.slice(start, start + batchSize);
    prefetcher.begin(images.slice(start, start + 2 * batchSize));
    const views = batch.map((image) => ({
      key: mediumKey(image),
      mirrored,
      pixels: () => pixelsOf(image),
    }));
    const features = await live.load(views);
    rows.push(
      ...features.map((row) => (row instanceof LlavaError ? undefined : scope(() => row.detach().to(dtype)))),
    );
    for (const row of features) if (!(row instanceof LlavaError)) row.dispose();
    bar.increment(batch.length);
  }
  scope(() => {
    const blank = ({ isVideo }: RowImage) =>
      aten.full([processor.tiling || isVideo ? 0 : 1, tower.tokens, tower.hiddenSize], 0, dtype);
    const features = cat(rows.map((row, i) => row ?? blank(images[i]!)));
    const unusable = images.filter((_, i) => !rows[i]).map(mediumKey);
    const known = [...shapes].map(([image, shape]) => [mediumKey(image), shape] as const);
    const videos = known.filter(([, { isVideo }]) => isVideo);
    const sizes = known.flatMap(([key, { isVideo, size }]) => (isVideo ? [] : [[key, size]]));
    writeSafetensors(path, new Map([["features", features]]), {
      unusable: JSON.stringify(unusable),
      ...(processor.tiling && { sizes: JSON.stringify(sizes) }),
      ...(videos.length > 0 && { videos: JSON.stringify(videos) }),
    });
  });
  for (const row of rows) row?.dispose();
}

/** Names and sizes stand for the images' contents. */
function cacheKey({ towerId, processor, video, dtype, images, folder }: FeatureCacheOptions): string {
  const files = images.map((image) => [mediumKey(image), contentSize(resolve(folder, image.name))]);
  const seen = images.some(({ isVideo }) => isVideo) ? { video } : {};
  const hash = createHash("sha256").update(JSON.stringify({ towerId, processor, dtype, files, ...seen }));
  return hash.digest("hex").slice(0, 16);
}

/** Bytes of a file, or names and bytes of a folder's; -1 for what is not there. */
function contentSize(path: string): unknown {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.size ?? -1;
  return readdirSync(path)
    .sort()
    .map((name) => [name, statSync(join(path, name)).size]);
}
