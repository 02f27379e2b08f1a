import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from "../../checkpoint/index.ts";
import { Prefetcher, type RowLoader } from "../../data/index.ts";
import { alone, type Communicator } from "../../distributed/index.ts";
import { LlavaError } from "../../errors.ts";
import { makeFolder } from "../../files/index.ts";
import {
  type ImageProcessorConfig,
  type ImageSize,
  layoutOf,
  tilesOf,
} from "../../processing/image/index.ts";
import type { ProgressFactory } from "../../setup/index.ts";
import { aten, cat, type DType, keep, scope, type Tensor } from "../../torch/index.ts";
import type { ImageView } from "./image-inputs.ts";
import { type FeatureOptions, type FeatureSource, LiveFeatures } from "./live-features.ts";

/** Images of a shard; fewer where each is several tiles. */
const shardSize = ({ tiling }: ImageProcessorConfig): number => (tiling === undefined ? 256 : 32);

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

interface Building {
  readonly progress: ProgressFactory;
  readonly signal?: AbortSignal | undefined;
  readonly communicator?: Communicator | undefined;
}

/**
 * Features of a frozen tower on disk, computed once and read through memory maps: of every tile, where images are cut, with
 * the sizes of images, which decide how. Shards of images are written whole or not at all, so that an interrupted build goes
 * on where it was.
 */
export class FeatureCache implements FeatureSource {
  readonly #index: ReadonlyMap<string, number>;
  readonly #shards: ReadonlyMap<string, Shard>;
  readonly #shardSize: number;
  readonly #unusable = new Set<string>();
  readonly #sizes = new Map<string, ImageSize>();

  private constructor(images: readonly string[], shards: ReadonlyMap<string, Shard>, shardSize: number) {
    this.#index = new Map(images.map((image, i) => [image, i]));
    this.#shards = shards;
    this.#shardSize = shardSize;
    for (const { unusable, sizes } of shards.values()) {
      for (const image of unusable) this.#unusable.add(image);
      for (const [image, size] of sizes) this.#sizes.set(image, size);
    }
  }

  /** Opens the cache, after computing whatever it lacks: each rank a part of it. */
  static async open(
    options: FeatureCacheOptions,
    { progress, signal, communicator = alone }: Building,
  ): Promise<FeatureCache> {
    const { images, dtype, processor } = options;
    const folder = join(options.cache, cacheKey(options));
    makeFolder(folder);
    const live = new LiveFeatures(options);
    const parts = shardsOf(images, shardSize(processor), options.mirrored).map((part) => ({
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
    const { rank, size } = communicator;
    const isMissing = ({ path }: { path: string }): boolean => !existsSync(path);
    await make(parts.filter((part, i) => i % size === rank && isMissing(part)));
    communicator.barrier();
    await make(parts.filter(isMissing)); // what ranks made on machines that share no disk with this one
    const shards = new Map(parts.map(({ name, path, images }) => [name, openShard(path, images, processor)]));
    return new FeatureCache(images, shards, shardSize(processor));
  }

  readonly takesPixels = false;

  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]> {
    const rows = views.map((view) => {
      const row = scope(() => this.#tiles(view));
      return row ?? new LlavaError("image", `${view.name} cannot be decoded`);
    });
    return Promise.resolve(rows);
  }

  isUnusable(image: string): boolean {
    return this.#unusable.has(image);
  }

  sizeOf(image: string): ImageSize | undefined {
    return this.#sizes.get(image);
  }

  /** Mean and deviation of every channel over all images and rows, unmirrored. */
  statistics(): { mean: Tensor; std: Tensor } {
    return scope(() => {
      const usable = [...this.#index.keys()].filter((image) => !this.#unusable.has(image));
      let sum: Tensor | undefined;
      let squares: Tensor | undefined;
      let rows = 0;
      for (let start = 0; start < usable.length; start += this.#shardSize) {
        [sum, squares] = scope(() => {
          const views = usable
            .slice(start, start + this.#shardSize)
            .map((name) => ({ name, mirrored: false }));
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
  #tiles({ name, mirrored }: Pick<ImageView, "name" | "mirrored">): Tensor | undefined {
    const at = this.#index.get(name);
    if (at === undefined) throw new LlavaError("data", `image ${name} is not in the feature cache`);
    if (this.#unusable.has(name)) return undefined;
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
  /** Of images that are cut into tiles. */
  readonly sizes: ReadonlyMap<string, ImageSize>;
}

const storedSizes = z.array(z.tuple([z.string(), z.object({ width: z.int(), height: z.int() })]));

function openShard(path: string, images: readonly string[], processor: ImageProcessorConfig): Shard {
  const { metadata } = readSafetensorsHeader(path);
  const unusable = JSON.parse(metadata.get("unusable") ?? "[]") as string[];
  const sizes = new Map(storedSizes.parse(JSON.parse(metadata.get("sizes") ?? "[]")));
  let end = 0;
  const spans = images.map((image) => {
    const start = end;
    // Where images are whole, one that cannot be decoded has a place too.
    if (processor.tiling === undefined) end += 1;
    else if (sizes.has(image)) end += tilesOf(layoutOf(sizes.get(image), processor));
    return [start, end] as const;
  });
  return { features: keep(openSafetensors(path).read("features")), spans, unusable, sizes };
}

const shardName = (number: number, mirrored: boolean): string =>
  `${mirrored ? "mirrored" : "features"}-${String(number).padStart(5, "0")}.safetensors`;

function shardsOf(images: readonly string[], size: number, mirrored: boolean) {
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
    processor,
  }: FeatureCacheOptions & {
    live: LiveFeatures;
    bar: { increment(by?: number): void };
    signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const rows: (Tensor | undefined)[] = [];
  const sizes = new Map<string, ImageSize>();
  const prefetcher = new Prefetcher(loader, (name: string) => ({ folder, mirrored, images: [{ name }] }));
  const pixelsOf = async (name: string) => {
    const { pixels, sizes: found } = await prefetcher.take(name);
    if (processor.tiling && !(pixels[0] instanceof LlavaError)) sizes.set(name, found[0]!);
    return pixels[0]!;
  };
  for (let start = 0; start < images.length; start += batchSize) {
    if (signal?.aborted) throw new LlavaError("aborted", "stopped while computing features");
    const names = images.slice(start, start + batchSize);
    prefetcher.begin(images.slice(start, start + 2 * batchSize));
    const views = names.map((name) => ({ name, mirrored, pixels: () => pixelsOf(name) }));
    const features = await live.load(views);
    rows.push(
      ...features.map((row) => (row instanceof LlavaError ? undefined : scope(() => row.detach().to(dtype)))),
    );
    for (const row of features) if (!(row instanceof LlavaError)) row.dispose();
    bar.increment(names.length);
  }
  scope(() => {
    const blank = aten.full([processor.tiling ? 0 : 1, tower.tokens, tower.hiddenSize], 0, dtype);
    const features = cat(rows.map((row) => row ?? blank));
    const unusable = images.filter((_, i) => !rows[i]);
    writeSafetensors(path, new Map([["features", features]]), {
      unusable: JSON.stringify(unusable),
      ...(processor.tiling && { sizes: JSON.stringify([...sizes]) }),
    });
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
