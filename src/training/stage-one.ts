import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CaptionedImage, captionedImages, readRows } from "../data/index.ts";
import { LlavaError } from "../errors.ts";
import { loadBuiltin, loadCheckpoint, PooledTower, type PretrainedLlava } from "../models/index.ts";
import { type ProgressFactory, resolveModel } from "../setup/index.ts";
import { Generator, type Tensor } from "../torch/index.ts";
import { CaptionBatcher, CaptionSource, type CaptionView } from "./caption-source.ts";
import { FeatureCache } from "./feature-cache.ts";
import { type FeatureSource, frozenTower, LiveFeatures } from "./features.ts";
import { type CaptionBatch, CaptionObjective } from "./objectives/caption.ts";
import type { Recipe } from "./recipe.ts";

export interface Surroundings {
  readonly progress: ProgressFactory;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What stage 1 trains, on what, and by which measure. */
export interface StageOne extends Disposable {
  readonly pretrained: PretrainedLlava;
  /** Names of checkpoints → tensors that learn. */
  readonly trainable: ReadonlyMap<string, Tensor>;
  /** Measured on the data and kept with the weights: the statistics of the image features. */
  readonly measured: ReadonlyMap<string, Tensor>;
  readonly objective: CaptionObjective;
  readonly source: CaptionSource;
  readonly generator: Generator;
  /** Held-out batches with their own images' features. */
  readonly heldOut: readonly CaptionBatch[];
}

/** Loads, freezes and reads everything that a stage-1 recipe names. */
export async function prepareStageOne(recipe: Recipe, around: Surroundings): Promise<StageOne> {
  const { data, evaluation, device, seed } = recipe;
  const generator = new Generator(seed);
  const pretrained = await load(recipe, generator, around);
  const { model } = pretrained;
  const trainable = named("model.multi_modal_projector.", model.projector.namedParameters());

  const batching = {
    tokenizer: pretrained.tokenizer,
    promptFormat: pretrained.promptFormat,
    imageTokenId: model.imageTokenId,
    end: data.end,
    device,
    tower: frozenTower(model.visionTower),
  };
  const read = await readCaptions(data.rows, data.images, data.onBadRow, around);
  const features = await openFeatures(recipe, pretrained, data.images, read, data.flips, around);
  const measured = measureFeatures(pretrained, features);
  const batcher = new CaptionBatcher({
    ...batching,
    features,
    packedRows: recipe.packedRows,
    onUnreadable: data.onBadRow === "error" ? refuse(data) : skipOnce(around.report),
  });
  const images = await dropBadRows(read, { batcher, features, recipe, report: around.report });
  const source = new CaptionSource({ ...recipe, ...data, images, batcher });

  const heldOut: CaptionBatch[] = [];
  if (evaluation) {
    const rows = await readCaptions(evaluation.rows, evaluation.images, "error", around);
    const chosen = rows.slice(0, evaluation.count);
    const own = await openFeatures(recipe, pretrained, evaluation.images, chosen, false, around);
    const evaluator = new CaptionBatcher({
      ...batching,
      features: own,
      packedRows: recipe.packedRows,
      onUnreadable: refuse(evaluation),
    });
    heldOut.push(...(await heldOutBatches(evaluator, chosen, evaluation.captionsPerImage)));
  }
  return {
    pretrained,
    trainable,
    measured,
    objective: new CaptionObjective(model),
    source,
    generator,
    heldOut,
    [Symbol.dispose]() {
      for (const batch of heldOut) batch[Symbol.dispose]();
      generator[Symbol.dispose]();
      pretrained[Symbol.dispose]();
    },
  };
}

async function load(recipe: Recipe, generator: Generator, around: Surroundings): Promise<PretrainedLlava> {
  const { model: name, dtype, device, tokensPerSide } = recipe;
  const { report, progress, signal } = around;
  const resolved = await resolveModel(name, { report, progress, ...(signal && { signal }) });
  const fresh = recipe.projector === "fresh";
  if (tokensPerSide !== undefined && resolved.kind === "folder")
    throw new LlavaError(
      "config",
      `tokensPerSide is for built-in models; ${name} says itself how many it has`,
    );
  const pretrained =
    resolved.kind === "builtin"
      ? loadBuiltin(resolved, { dtype, device, untrained: fresh, ...(tokensPerSide && { tokensPerSide }) })
      : await loadCheckpoint(resolved.path, { dtype, device });
  const { visionTower, projector, languageModel } = pretrained.model;
  if (fresh) projector.initialize(generator);
  // Loaded weights lie in a mapped file, which is not to be written to.
  else for (const [key, weight] of projector.namedParameters()) projector.setParameter(key, weight.clone());
  visionTower.requiresGrad_(false);
  languageModel.requiresGrad_(false);
  projector.to({ dtype: "float32", device }).requiresGrad_(true);
  return pretrained;
}

async function readCaptions(
  path: string,
  folder: string,
  onBadRow: Recipe["data"]["onBadRow"],
  { report }: Surroundings,
): Promise<CaptionedImage[]> {
  const images = captionedImages(await readRows(path));
  const missing = images.filter(({ image }) => !existsSync(join(folder, image)));
  if (missing.length > 0 && onBadRow === "error")
    throw new LlavaError(
      "data",
      `${path}: row ${missing[0]!.captions[0]!.id}: ${join(folder, missing[0]!.image)} does not exist (${missing.length} such images)`,
      { hint: "Check data.images, or leave such rows out with --data.onBadRow skip." },
    );
  if (missing.length > 0)
    report(`skipping ${missing.length} images that do not exist, the first ${missing[0]!.image}`);
  if (missing.length === images.length)
    throw new LlavaError("data", `${path}: no rows to use`, {
      hint: "Rows are LLaVA's own: id, image and conversations; their images lie in data.images.",
    });
  const absent = new Set(missing);
  return images.filter((image) => !absent.has(image));
}

async function openFeatures(
  { features }: Recipe,
  { model, imageProcessor }: PretrainedLlava,
  folder: string,
  images: readonly CaptionedImage[],
  mirrored: boolean,
  around: Surroundings,
): Promise<FeatureSource> {
  const tower = frozenTower(model.visionTower);
  const options = { tower, processor: imageProcessor, folder, batchSize: features.batchSize };
  if (features.cache === "") return new LiveFeatures(options);
  const names = images.map(({ image }) => image);
  const { cache, dtype } = features;
  const towerId = `${weightsHash(model.visionTower)} ${tower.tokens}`;
  return FeatureCache.open({ ...options, cache, dtype, towerId, mirrored, images: names }, around);
}

/** Of everything but the statistics, which are applied after the cache. */
function weightsHash(tower: PretrainedLlava["model"]["visionTower"]): string {
  const hash = createHash("sha256");
  const weights = tower instanceof PooledTower ? tower.tower : tower;
  for (const [name, tensor] of weights.namedParameters()) hash.update(name).update(tensor.toBytes());
  return hash.digest("hex");
}

/** A standardising tower takes its statistics from the training images, unless the model came with them. */
function measureFeatures({ model }: PretrainedLlava, features: FeatureSource): Map<string, Tensor> {
  const tower = model.visionTower;
  if (!(tower instanceof PooledTower)) return new Map();
  if (!(features instanceof FeatureCache))
    throw new LlavaError(
      "config",
      "this model standardises its image features, which takes a feature cache",
      {
        hint: "Give --features.cache FOLDER.",
      },
    );
  const { mean, std } = features.statistics();
  tower.setParameter("feature_mean", mean.toDevice(tower.featureMean.device));
  tower.setParameter("feature_std", std.toDevice(tower.featureStd.device));
  return named(
    "model.vision_tower.",
    new Map([
      ["feature_mean", tower.featureMean],
      ["feature_std", tower.featureStd],
    ]),
  );
}

interface Usable {
  readonly batcher: CaptionBatcher;
  readonly features: FeatureSource;
  readonly recipe: Recipe;
  readonly report: (line: string) => void;
}

/** Leaves out captions that are too long and, where it is known already, images that cannot be decoded. */
async function dropBadRows(
  images: readonly CaptionedImage[],
  { batcher, features, recipe: { data }, report }: Usable,
): Promise<CaptionedImage[]> {
  const bad: string[] = [];
  const usable: CaptionedImage[] = [];
  for (const { image, captions } of images) {
    const damaged = features instanceof FeatureCache && features.isUnusable(image);
    const kept = captions.filter(({ id, text }) => {
      const length = damaged ? 0 : batcher.encode(text).length;
      if (!damaged && length <= data.maxCaptionTokens) return true;
      bad.push(`${id} (${damaged ? `${image} cannot be decoded` : `${length} tokens`})`);
      return false;
    });
    if (kept.length > 0) usable.push({ image, captions: kept });
  }
  if (bad.length === 0) return usable;
  if (data.onBadRow === "error")
    throw new LlavaError("data", `${data.rows}: ${bad.length} unusable rows, the first ${bad[0]}`, {
      hint: "Leave them out with --data.onBadRow skip, or raise --data.maxCaptionTokens.",
    });
  report(`skipping ${bad.length} unusable rows: ${bad.slice(0, 5).join(", ")}${bad.length > 5 ? ", …" : ""}`);
  return usable;
}

const refuse =
  ({ rows }: { rows: string }) =>
  ({ image, captions }: CaptionView): void => {
    throw new LlavaError("data", `${rows}: row ${captions[0]!.id}: ${image} cannot be decoded`, {
      hint: "Replace the image or take its rows out; --data.onBadRow skip leaves out those of training.",
    });
  };

function skipOnce(report: (line: string) => void): (view: CaptionView) => void {
  const skipped = new Set<string>();
  return ({ image }) => {
    if (skipped.has(image)) return;
    skipped.add(image);
    report(`skipping ${image}, which cannot be decoded (${skipped.size} so far)`);
  };
}

/** Batches of 8 images, in the order of the file. */
async function heldOutBatches(
  batcher: CaptionBatcher,
  images: readonly CaptionedImage[],
  captionsPerImage: number,
): Promise<CaptionBatch[]> {
  const batches: CaptionBatch[] = [];
  for (let start = 0; start < images.length; start += 8) {
    const views = images.slice(start, start + 8).map(({ image, captions }) => ({
      image,
      captions: captions.slice(0, captionsPerImage),
      mirrored: false,
    }));
    const batch = await batcher.batch(views);
    if (batch) batches.push(batch);
  }
  return batches;
}

const named = (prefix: string, parameters: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map([...parameters].map(([name, tensor]) => [prefix + name, tensor]));
