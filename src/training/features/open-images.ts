import { createHash } from "node:crypto";
import { mediumKey, type RowImage, type RowLoader } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { PretrainedLlava } from "../../pretrained/index.ts";
import type { VideoConfig } from "../../processing/video/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { Surroundings } from "../stage/load.ts";
import { named, prefixes } from "../stage/trainable.ts";
import { FeatureCache } from "./feature-cache.ts";
import { type ImageInputs, pixelInputs } from "./image-inputs.ts";
import { type FeatureSource, frozenInputs, frozenTower, LiveFeatures } from "./live-features.ts";

export interface OpenImagesOptions {
  readonly recipe: Recipe;
  readonly pretrained: PretrainedLlava;
  readonly loader: RowLoader;
  /** What image names are relative to. */
  readonly folder: string;
  /** All of them, and of the videos, where features are kept. */
  readonly images: readonly RowImage[];
  /** Whether they are seen mirrored too. */
  readonly mirrored: boolean;
  readonly around: Surroundings;
}

export interface OpenedImages {
  readonly inputs: ImageInputs;
  readonly cache: FeatureCache | undefined;
}

/** Where batches get their images from: pixels for a tower that learns, else its features, computed now or kept on disk. */
export async function openImages(options: OpenImagesOptions): Promise<OpenedImages> {
  const { recipe, pretrained, loader, folder } = options;
  const { model } = pretrained;
  const processor = pretrained.processor.imageConfig;
  const { features, train } = recipe;
  const learns = train.includes("visionTower");
  if (features.tilesAtOnce !== undefined) {
    if (!learns)
      throw new LlavaError("config", "features.tilesAtOnce is for a vision tower that learns", {
        hint: "Leave it out; features.batchSize says how many a frozen one takes at once.",
      });
    model.tilesAtOnce = features.tilesAtOnce;
  }
  if (learns) {
    if (features.cache === "") return { inputs: pixelInputs(model), cache: undefined };
    throw new LlavaError("config", "features.cache is for a frozen vision tower", {
      hint: "Leave visionTower out of train, or features.cache empty.",
    });
  }
  if (features.cache !== "" && processor.tiling?.several === "padded")
    throw new LlavaError(
      "config",
      "features.cache keeps an image as it is seen alone; this model sees several of a row otherwise (anyres_max_N)",
      { hint: "Leave features.cache empty." },
    );
  const tower = frozenTower(model.visionTower);
  const shared = { tower, batchSize: features.batchSize };
  const frozen = (source: FeatureSource): ImageInputs => frozenInputs(source, tower);
  if (features.cache === "") return { inputs: frozen(new LiveFeatures(shared)), cache: undefined };
  const cache = await FeatureCache.open(
    {
      ...{ ...shared, loader, processor, folder, mirrored: options.mirrored },
      video: sampledFrames(pretrained.processor.videoConfig),
      cache: features.cache,
      dtype: features.dtype,
      towerId: `${weightsHash(model.visionTower)} ${tower.tokens}`,
      // Sorted, so that other rows about the same images find the same cache.
      images: options.images.toSorted((a, b) => (mediumKey(a) < mediumKey(b) ? -1 : 1)),
    },
    options.around,
  );
  return { inputs: frozen(cache), cache };
}

/** What of a model's way with videos its tower's features depend on; pooling comes behind them. */
const sampledFrames = ({ sampling, frames }: VideoConfig) => ({ sampling, frames });

/** Of everything but the statistics, which are applied after the cache. */
function weightsHash(tower: PretrainedLlava["model"]["visionTower"]): string {
  const hash = createHash("sha256");
  const weights = tower.standardized?.tower ?? tower;
  for (const [name, tensor] of weights.namedParameters()) hash.update(name).update(tensor.toBytes());
  return hash.digest("hex");
}

/** A standardising tower takes its statistics from the training images, unless the model came with them. */
export function measureFeatures(
  { model }: PretrainedLlava,
  cache: FeatureCache | undefined,
): Map<string, Tensor> {
  const tower = model.visionTower;
  if (tower.standardized === undefined) return new Map();
  if (!cache)
    throw new LlavaError(
      "config",
      "this model standardises its image features, which takes a feature cache",
      { hint: "Give --features.cache FOLDER." },
    );
  const { mean, std } = cache.statistics();
  const { device } = tower.standardized.statistics.feature_mean;
  tower.setParameter("feature_mean", mean.toDevice(device));
  tower.setParameter("feature_std", std.toDevice(device));
  return named(prefixes.visionTower, Object.entries(tower.standardized.statistics));
}
