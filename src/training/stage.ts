import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { imagesOfRow, type LlavaRow, messagesOfRow, readRows } from "../data/index.ts";
import { LlavaError } from "../errors.ts";
import { PooledTower, type PretrainedLlava } from "../models/index.ts";
import type { ParameterGroup } from "../optim/index.ts";
import { namedTemplate, type PromptFormat } from "../processing/conversation/index.ts";
import { Generator, type Tensor } from "../torch/index.ts";
import { FeatureCache } from "./feature-cache.ts";
import {
  type FeatureSource,
  frozenInputs,
  frozenTower,
  type ImageInputs,
  LiveFeatures,
  pixelInputs,
} from "./features.ts";
import { type SupervisedBatch, SupervisedObjective } from "./objectives/supervised.ts";
import type { Recipe } from "./recipe.ts";
import { RowBatcher, RowSource } from "./row-source.ts";
import { loadModel, type Surroundings } from "./start.ts";
import { prefixes, trainableGroups } from "./trainable.ts";

export type { Surroundings } from "./start.ts";

/** What a run trains, on what, and by which measure. */
export interface Stage extends Disposable {
  readonly pretrained: PretrainedLlava;
  /** Names of checkpoints, PEFT's for adapters → tensors that learn, with the rates they learn at. */
  readonly groups: readonly ParameterGroup[];
  /** Measured on the data and kept with the weights: the statistics of the image features. */
  readonly measured: ReadonlyMap<string, Tensor>;
  readonly objective: SupervisedObjective;
  readonly source: RowSource;
  readonly generator: Generator;
  /** Held-out batches with their own images. */
  readonly heldOut: readonly SupervisedBatch[];
}

/** Loads, freezes and reads everything that a recipe names. */
export async function prepareStage(recipe: Recipe, around: Surroundings): Promise<Stage> {
  const { data, evaluation, device, seed } = recipe;
  const generator = new Generator(seed);
  const pretrained = await loadModel(recipe, generator, around);
  const { model } = pretrained;
  const groups = trainableGroups(recipe, pretrained, generator);

  const read = usableRows(await readRows(data.rows), problemsOf(data.images), data, around.report);
  const images = await openImages(recipe, pretrained, data.images, read, data.flips, around);
  const damaged = (row: LlavaRow): string | undefined => {
    const image = imagesOfRow(row).find((name) => images.cache?.isUnusable(name));
    return image && `row ${row.id}: ${join(data.images, image)} cannot be decoded`;
  };
  const rows = usableRows(read, damaged, data, around.report);
  const measured = recipe.projector === "fresh" ? measureFeatures(pretrained, images.cache) : new Map();
  const batching = {
    tokenizer: pretrained.tokenizer,
    format: promptFormat(recipe, pretrained),
    imageTokenId: model.imageTokenId,
    device,
    packedRows: recipe.packedRows,
    maxTokens: data.maxTokens,
  };
  const skip = countSkipped(around.report);
  const refuse =
    (path: string) =>
    (_: LlavaRow, error: LlavaError): never => {
      throw new LlavaError("data", `${path}: ${error.message}`, hintOf(error));
    };
  const handle = (policy: "error" | "skip") => (policy === "error" ? refuse(data.rows) : skip);
  const batcher = new RowBatcher({
    ...batching,
    images: images.inputs,
    onBadRow: handle(data.onBadRow),
    onLongRow: data.onLongRow === "truncate" ? "truncate" : handle(data.onLongRow),
  });
  const source = new RowSource({ ...recipe, ...data, rows, batcher });

  const heldOut: SupervisedBatch[] = [];
  if (evaluation) {
    const policy = { rows: evaluation.rows, onBadRow: "error" as const };
    const problemOf = problemsOf(evaluation.images);
    const all = usableRows(await readRows(evaluation.rows), problemOf, policy, around.report);
    const chosen = firstImages(all, evaluation);
    const own = await openImages(recipe, pretrained, evaluation.images, chosen.flat(), false, around);
    const onBadRow = refuse(evaluation.rows);
    const evaluator = new RowBatcher({ ...batching, images: own.inputs, onBadRow, onLongRow: onBadRow });
    heldOut.push(...(await heldOutBatches(evaluator, chosen)));
  }
  return {
    pretrained,
    groups,
    measured,
    objective: new SupervisedObjective(
      model,
      images.inputs.encode,
      recipe.activationCheckpointing ? { recompute: [generator] } : {},
    ),
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

function promptFormat({ data }: Recipe, pretrained: PretrainedLlava): PromptFormat {
  const { template, answerEnd } = data;
  if (template !== undefined) return namedTemplate(template, answerEnd);
  if (answerEnd === undefined) return pretrained.promptFormat;
  throw new LlavaError("config", "data.answerEnd goes with data.template", {
    hint: "The model's own chat template has its own ending.",
  });
}

const hintOf = ({ hint }: LlavaError) => (hint === undefined ? {} : { hint });

/** What can be told of a row without tokens and pixels: whether its turns are in order and its images exist. */
function problemsOf(folder: string): (row: LlavaRow) => string | undefined {
  const exists = new Map<string, boolean>();
  return (row) => {
    try {
      messagesOfRow(row);
    } catch (error) {
      if (error instanceof LlavaError) return error.message;
      throw error;
    }
    for (const image of imagesOfRow(row)) {
      const file = join(folder, image);
      if (!exists.has(file)) exists.set(file, existsSync(file));
      if (!exists.get(file)) return `row ${row.id}: ${file} does not exist`;
    }
    return undefined;
  };
}

/** Rows without a problem; the others are an error or left out. */
function usableRows(
  rows: readonly LlavaRow[],
  problemOf: (row: LlavaRow) => string | undefined,
  { rows: path, onBadRow }: { rows: string; onBadRow: "error" | "skip" },
  report: (line: string) => void,
): LlavaRow[] {
  const problems: string[] = [];
  const usable = rows.filter((row) => {
    const problem = problemOf(row);
    if (problem !== undefined) problems.push(problem);
    return problem === undefined;
  });
  if (problems.length > 0 && onBadRow === "error")
    throw new LlavaError("data", `${path}: ${problems[0]} (${problems.length} unusable rows)`, {
      hint: "Check data.images, or leave such rows out with --data.onBadRow skip.",
    });
  if (problems.length > 0) report(`skipping ${problems.length} unusable rows, the first: ${problems[0]}`);
  if (usable.length > 0) return usable;
  throw new LlavaError("data", `${path}: no rows to use`, {
    hint: "Rows are LLaVA's own: id, image and conversations; their images lie in data.images.",
  });
}

interface OpenedImages {
  readonly inputs: ImageInputs;
  readonly cache: FeatureCache | undefined;
}

async function openImages(
  { features, train }: Recipe,
  { model, imageProcessor }: PretrainedLlava,
  folder: string,
  rows: readonly LlavaRow[],
  mirrored: boolean,
  around: Surroundings,
): Promise<OpenedImages> {
  if (train.includes("visionTower")) {
    if (features.cache === "")
      return { inputs: pixelInputs(model, imageProcessor, folder), cache: undefined };
    throw new LlavaError("config", "features.cache is for a frozen vision tower", {
      hint: "Leave visionTower out of train, or features.cache empty.",
    });
  }
  const tower = frozenTower(model.visionTower);
  const options = { tower, processor: imageProcessor, folder, batchSize: features.batchSize };
  const frozen = (source: FeatureSource): ImageInputs => frozenInputs(source, tower);
  if (features.cache === "") return { inputs: frozen(new LiveFeatures(options)), cache: undefined };
  // Sorted, so that other rows about the same images find the same cache.
  const images = [...new Set(rows.flatMap(imagesOfRow))].sort();
  const { cache: parent, dtype } = features;
  const towerId = `${weightsHash(model.visionTower)} ${tower.tokens}`;
  const cache = await FeatureCache.open(
    { ...options, cache: parent, dtype, towerId, mirrored, images },
    around,
  );
  return { inputs: frozen(cache), cache };
}

/** Of everything but the statistics, which are applied after the cache. */
function weightsHash(tower: PretrainedLlava["model"]["visionTower"]): string {
  const hash = createHash("sha256");
  const weights = tower instanceof PooledTower ? tower.tower : tower;
  for (const [name, tensor] of weights.namedParameters()) hash.update(name).update(tensor.toBytes());
  return hash.digest("hex");
}

/** A standardising tower takes its statistics from the training images, unless the model came with them. */
function measureFeatures({ model }: PretrainedLlava, cache: FeatureCache | undefined): Map<string, Tensor> {
  const tower = model.visionTower;
  if (!(tower instanceof PooledTower)) return new Map();
  if (!cache)
    throw new LlavaError(
      "config",
      "this model standardises its image features, which takes a feature cache",
      { hint: "Give --features.cache FOLDER." },
    );
  const { mean, std } = cache.statistics();
  tower.setParameter("feature_mean", mean.toDevice(tower.featureMean.device));
  tower.setParameter("feature_std", std.toDevice(tower.featureStd.device));
  const { featureMean, featureStd } = tower;
  return new Map([
    [`${prefixes.visionTower}feature_mean`, featureMean],
    [`${prefixes.visionTower}feature_std`, featureStd],
  ]);
}

/** Reports each row that is left out, once, and how many there were. */
function countSkipped(report: (line: string) => void): (row: LlavaRow, error: LlavaError) => void {
  const skipped = new Set<string>();
  return ({ id }, { message }) => {
    if (skipped.has(id)) return;
    skipped.add(id);
    report(`skipping ${message} (${skipped.size} so far)`);
  };
}

/** The rows of the first images, some of each, in the order of the file. */
function firstImages(
  rows: readonly LlavaRow[],
  { count, rowsPerImage }: { count: number; rowsPerImage: number },
): LlavaRow[][] {
  const groups = Map.groupBy(rows, (row) => imagesOfRow(row).join("\n"));
  return [...groups.values()].slice(0, count).map((group) => group.slice(0, rowsPerImage));
}

/** Batches of 8 images. */
async function heldOutBatches(
  batcher: RowBatcher,
  groups: readonly LlavaRow[][],
): Promise<SupervisedBatch[]> {
  const batches: SupervisedBatch[] = [];
  for (let start = 0; start < groups.length; start += 8) {
    const batch = await batcher.batch(
      groups.slice(start, start + 8).map((rows) => ({ rows, mirrored: false })),
    );
    if (batch) batches.push(batch);
  }
  return batches;
}
