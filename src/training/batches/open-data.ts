import {
  type BatchSampler,
  countRows,
  type Dataset,
  filterTable,
  imagesOfTable,
  isShard,
  kindOfRow,
  LoadingPool,
  mediumKey,
  PairSampler,
  type Rank,
  type RowLoader,
  type RowRules,
  type RowTable,
  readDatasets,
  rowError,
  rowLoaderHere,
  rowTable,
  ShardBatchSampler,
  TableBatchSampler,
} from "../../data/index.ts";
import { alone } from "../../distributed/index.ts";
import { LlavaError } from "../../errors.ts";
import type { PretrainedLlava, PromptFiles } from "../../pretrained/index.ts";
import { type Processor, trainingProcessor } from "../../processing/processor/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { FeatureCache } from "../features/feature-cache.ts";
import type { ImageInputs } from "../features/image-inputs.ts";
import { measureFeatures, openImages } from "../features/open-images.ts";
import { objectiveOf, type Recipe } from "../recipe/recipe.ts";
import type { Surroundings } from "../stage/load.ts";
import { countSkippedErrors, Problems, raise, refuse, refuseOrSkip } from "./bad-rows.ts";
import { Collator } from "./collator.ts";
import { DataLoader } from "./data-loader.ts";
import { firstImages, firstPairs, heldOutBatches } from "./held-out.ts";
import type { RowBatch } from "./row-batch.ts";
import { usableRows } from "./usable-rows.ts";

/** What a stage learns from and is measured on. */
export interface StageData extends Disposable {
  readonly source: DataLoader;
  /** Makes batches of rows as the source does. */
  readonly collator: Collator;
  /** The rows, where they are known beforehand. */
  readonly rows: RowTable | undefined;
  /** How rows become ids. */
  readonly processor: Processor;
  readonly rules: RowRules;
  /** See `ImageInputs.encode`. */
  readonly encode: ImageInputs["encode"];
  /** Statistics of the image features, where the model takes them from the data. */
  readonly measured: ReadonlyMap<string, Tensor>;
  /** Held-out batches with their own images. */
  readonly heldOut: readonly RowBatch[];
  readonly prompts: PromptFiles;
}

/** Reads the rows that a recipe names, pairs of answers where it learns preferences, and opens their images. */
export async function openStageData(
  recipe: Recipe,
  pretrained: PretrainedLlava,
  around: Surroundings,
): Promise<StageData> {
  const { data, evaluation } = recipe;
  const { maxTokens, turnMarks, workers } = data;
  const { processor, note } = trainingProcessor(pretrained.processor, data);
  if (note !== undefined) around.report(note);
  const rules: RowRules = { turnMarks, maxTokens, truncates: data.onLongRow === "truncate" };
  const loader = workers === 0 ? rowLoaderHere(processor) : new LoadingPool(processor.source, workers);
  const arePairs = objectiveOf(recipe).type === "preference";
  const open = { recipe, pretrained, loader, around, arePairs };
  const collating = { loader, device: recipe.device, packedRows: recipe.packedRows };

  const datasets = await readDatasets(data.rows);
  const streams = datasets.some(({ path }) => isShard(path));
  const { rows, inputs, cache, ...opened } = streams
    ? await openShards(datasets, open)
    : await openTable(open);
  const sampler = arePairs ? new PairSampler(opened.sampler) : opened.sampler;
  const measured = recipe.projector === "fresh" ? measureFeatures(pretrained, cache) : new Map();
  const collator = new Collator({
    ...{ ...collating, rules, folder: data.images, images: inputs },
    onBadRow: refuseOrSkip(data, around.report),
  });
  const heldOut: RowBatch[] = [];
  if (evaluation) {
    const { images: folder } = evaluation;
    const policy = { ...evaluation, onBadRow: "error", seed: 0, arePairs } as const;
    const all = await usableRows(evaluation.rows, policy, around);
    const groups = arePairs ? firstPairs(all, evaluation) : firstImages(all, evaluation);
    const seen = imagesOfTable(rowTable(groups.flatMap(({ rows }) => rows)));
    const { inputs: images } = await openImages({ ...open, folder, images: seen, mirrored: false });
    const own = { ...collating, folder, images, rules: { ...rules, truncates: false }, onBadRow: refuse };
    heldOut.push(...(await heldOutBatches(new Collator(own), groups)));
  }
  const { accumulation } = recipe;
  return {
    source: new DataLoader({
      ...{ sampler, collator, accumulation, prefetches: loader.isBackground },
      ranks: rankOf(around).ranks,
    }),
    collator,
    rows,
    processor,
    rules,
    encode: inputs.encode,
    measured,
    heldOut,
    prompts: { chatTemplate: processor.chatTemplate, stopIds: processor.stopIds },
    [Symbol.dispose]() {
      for (const batch of heldOut) batch[Symbol.dispose]();
      loader[Symbol.dispose]();
    },
  };
}

function rankOf({ communicator = alone }: Surroundings): Rank {
  const { rank, size: ranks } = communicator;
  return { rank, ranks };
}

interface Opening {
  readonly recipe: Recipe;
  readonly pretrained: PretrainedLlava;
  readonly loader: RowLoader;
  readonly around: Surroundings;
  readonly arePairs: boolean;
}

interface OpenedRows {
  readonly rows: RowTable | undefined;
  readonly sampler: BatchSampler;
  readonly inputs: ImageInputs;
  readonly cache: FeatureCache | undefined;
}

async function openTable(open: Opening): Promise<OpenedRows> {
  const { recipe, around, arePairs } = open;
  const { data, seed, batchSize } = recipe;
  const all = await usableRows(data.rows, { ...data, seed, arePairs }, around);
  const read = data.videos === "only" ? withVideos(all, data.rows, around) : all;
  const images = imagesOfTable(read);
  const { inputs, cache } = await openImages({ ...open, folder: data.images, images, mirrored: data.flips });
  const problems = new Problems(data, around.report);
  const rows = filterTable(read, (index) => {
    const image = cache && read.imagesOf(index).find((image) => cache.isUnusable(mediumKey(image)));
    if (image === undefined) return true;
    problems.add(
      rowError(read.at(index), "broken", `${image.name} cannot be decoded`, "Get the file again."),
    );
    return false;
  });
  problems.settle(data.rows, rows.length);
  return {
    rows,
    sampler: new TableBatchSampler({ ...data, batchSize, seed, rows, ...rankOf(around) }),
    inputs,
    cache,
  };
}

/** @throws LlavaError "data" where none is left */
function withVideos(all: RowTable, name: string, { report }: Surroundings): RowTable {
  const rows = filterTable(all, (index) => kindOfRow(all.imagesOf(index)) === "video");
  if (rows.length === 0)
    throw new LlavaError("data", `${name}: no row has a video, which alone are learnt from`, {
      hint: 'Set data.videos to "mixed" or "separated".',
    });
  if (rows.length < all.length)
    report(`${name}: ${all.length - rows.length} rows without a video are left out (data.videos "only")`);
  return rows;
}

async function openShards(datasets: readonly Dataset[], open: Opening): Promise<OpenedRows> {
  const { recipe, around } = open;
  const { data, seed, batchSize, features } = recipe;
  const wrong = [
    { is: data.rowsPerImage > 1, what: "data.rowsPerImage" },
    { is: data.grouping !== "none", what: "data.grouping" },
    { is: data.mixing !== "rows", what: "data.mixing" },
    { is: data.videos !== "mixed", what: "data.videos" },
    { is: features.cache !== "", what: "features.cache" },
  ].find(({ is }) => is);
  if (wrong)
    throw new LlavaError(
      "config",
      `${wrong.what} needs rows that are known beforehand; those of shards stream by`,
      {
        hint: "Leave it out, or give rows as .json or .jsonl files.",
      },
    );
  const onBadRow = data.onBadRow === "error" ? raise : countSkippedErrors(around.report);
  const bar = around.progress({ label: "counting", unit: "rows" });
  const rowCount = await countRows(datasets, {
    onDamage: onBadRow,
    onRows: (count) => bar.increment(count),
  }).finally(() => bar.stop());
  const { inputs, cache } = await openImages({
    ...open,
    folder: data.images,
    images: [],
    mirrored: false,
  });
  return {
    rows: undefined,
    sampler: new ShardBatchSampler({
      ...data,
      datasets,
      rowCount,
      batchSize,
      seed,
      onBadRow,
      ...rankOf(around),
    }),
    inputs,
    cache,
  };
}
