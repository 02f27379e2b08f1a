import {
  countRows,
  type Dataset,
  filterTable,
  imagesOfTable,
  isShard,
  type LlavaRow,
  LoadingPool,
  openRows,
  type PixelLoader,
  pixelsHere,
  type Rank,
  type RowDealer,
  type RowRules,
  type RowTable,
  readDatasets,
  rowError,
  rowsHere,
  ShardDealer,
  TableDealer,
} from "../../data/index.ts";
import { alone } from "../../distributed/index.ts";
import { LlavaError } from "../../errors.ts";
import type { PretrainedLlava, PromptFiles } from "../../pretrained/index.ts";
import { trainingProcessor } from "../../processing/processor/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { FeatureCache } from "../features/feature-cache.ts";
import type { ImageInputs } from "../features/image-inputs.ts";
import { measureFeatures, openImages } from "../features/open-images.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { Surroundings } from "../stage/load.ts";
import { RowBatcher, type RowBatcherOptions } from "./collator.ts";
import { RowSource } from "./data-loader.ts";
import type { RowBatch } from "./row-batch.ts";

/** What a stage learns from and is measured on. */
export interface StageData extends Disposable {
  readonly source: RowSource;
  /** See `ImageInputs.encode`. */
  readonly encode: ImageInputs["encode"];
  /** Statistics of the image features, where the model takes them from the data. */
  readonly measured: ReadonlyMap<string, Tensor>;
  /** Held-out batches with their own images. */
  readonly heldOut: readonly RowBatch[];
  readonly prompts: PromptFiles;
}

/** Reads the rows that a recipe names, and opens their images. */
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
  const pool =
    workers === 0
      ? undefined
      : new LoadingPool(
          { processor: processor.imageConfig, encoding: { processor: processor.source, rules } },
          workers,
        );
  const pixels = pool ?? pixelsHere(processor.imageConfig);
  const batching = { device: recipe.device, packedRows: recipe.packedRows };
  const open = { recipe, pretrained, pixels, around };

  const datasets = await readDatasets(data.rows);
  const streams = datasets.some(({ path }) => isShard(path));
  const { dealer, inputs, cache } = streams ? await openShards(datasets, open) : await openTable(open);
  const measured = recipe.projector === "fresh" ? measureFeatures(pretrained, cache) : new Map();
  const batcher = new RowBatcher({
    ...batching,
    images: inputs,
    encoder: pool ?? rowsHere(processor, rules),
    onBadRow: refuseOrSkip(data, around.report),
  });
  const heldOut: RowBatch[] = [];
  if (evaluation) {
    const all = await usableRows(evaluation.rows, { ...evaluation, onBadRow: "error", seed: 0 }, around);
    const chosen = firstImages(all, evaluation);
    const images = new Set(chosen.flat().flatMap(({ images }) => images.map(({ name }) => name)));
    const own = await openImages({ ...open, folder: evaluation.images, images, mirrored: false });
    const encoder = rowsHere(processor, { ...rules, truncates: false });
    const options = { ...batching, images: own.inputs, encoder, onBadRow: refuse };
    heldOut.push(...(await heldOutBatches(new RowBatcher(options), chosen)));
  }
  return {
    source: new RowSource({ dealer, batcher, accumulation: recipe.accumulation }),
    encode: inputs.encode,
    measured,
    heldOut,
    prompts: { chatTemplate: processor.chatTemplate, stopIds: processor.stopIds },
    [Symbol.dispose]() {
      for (const batch of heldOut) batch[Symbol.dispose]();
      pixels[Symbol.dispose]();
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
  readonly pixels: PixelLoader;
  readonly around: Surroundings;
}

interface OpenedRows {
  readonly dealer: RowDealer;
  readonly inputs: ImageInputs;
  readonly cache: FeatureCache | undefined;
}

async function openTable(open: Opening): Promise<OpenedRows> {
  const { recipe, around } = open;
  const { data, seed, batchSize } = recipe;
  const read = await usableRows(data.rows, { ...data, seed }, around);
  const images = imagesOfTable(read);
  const { inputs, cache } = await openImages({ ...open, folder: data.images, images, mirrored: data.flips });
  const problems = new Problems(data, around);
  const rows = filterTable(read, (index) => {
    const image = cache && read.imagesOf(index).find((name) => cache.isUnusable(name));
    if (image === undefined) return true;
    problems.add(rowError(read.at(index), "broken", `${image} cannot be decoded`, "Get the image again."));
    return false;
  });
  problems.settle(data.rows, rows.length);
  return { dealer: new TableDealer({ ...data, batchSize, seed, rows, ...rankOf(around) }), inputs, cache };
}

async function openShards(datasets: readonly Dataset[], open: Opening): Promise<OpenedRows> {
  const { recipe, around } = open;
  const { data, seed, batchSize, features } = recipe;
  const wrong = [
    { is: data.rowsPerImage > 1, what: "data.rowsPerImage" },
    { is: data.grouping !== "none", what: "data.grouping" },
    { is: data.mixing !== "rows", what: "data.mixing" },
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
    images: new Set(),
    mirrored: false,
  });
  return {
    dealer: new ShardDealer({ ...data, datasets, rowCount, batchSize, seed, onBadRow, ...rankOf(around) }),
    inputs,
    cache,
  };
}

/** Rows that can be used, looked at one by one; the others are an error or left out. */
async function usableRows(
  name: string,
  policy: { readonly images: string; readonly seed: number; readonly onBadRow: "error" | "skip" },
  around: Surroundings,
): Promise<RowTable> {
  const problems = new Problems(policy, around);
  const bar = around.progress({ label: "rows", unit: "rows" });
  const table = await openRows(name, {
    ...policy,
    onBadRow: (error) => problems.add(error),
    onRow: () => bar.increment(),
  }).finally(() => bar.stop());
  problems.settle(name, table.length);
  return table;
}

/** Counts what is wrong with rows before training, and tells of it in one line. */
class Problems {
  readonly #policy: "error" | "skip";
  readonly #hint: string;
  readonly #report: (line: string) => void;
  #first: LlavaError | undefined;
  #count = 0;

  constructor(
    { images, onBadRow }: { readonly images: string; readonly onBadRow: "error" | "skip" },
    { report }: Surroundings,
  ) {
    this.#policy = onBadRow;
    const all = "llava data check lists them all; --data.onBadRow skip leaves them out.";
    this.#hint = images === "" ? "Give the folder of the images with --data.images." : all;
    this.#report = report;
  }

  add(error: LlavaError): void {
    this.#first ??= error;
    this.#count++;
  }

  /** Throws `data` if rows are not to be skipped, or none is left. */
  settle(name: string, left: number): void {
    if (this.#first && this.#policy === "error")
      throw new LlavaError("data", `${this.#first.message} (${this.#count} unusable rows)`, {
        hint: this.#hint,
      });
    if (this.#first) this.#report(`skipping ${this.#count} unusable rows, the first: ${this.#first.message}`);
    if (left > 0) return;
    throw new LlavaError("data", `${name}: no rows to use`, {
      hint: "Rows are LLaVA's own: id, image and conversations; their images lie in data.images.",
    });
  }
}

const raise = (error: LlavaError): never => {
  throw error;
};
const refuse: RowBatcherOptions["onBadRow"] = (_, error) => raise(error);

/** As the recipe says of rows that cannot be used, and of those that are too long. */
function refuseOrSkip(
  { onBadRow, onLongRow }: Recipe["data"],
  report: (line: string) => void,
): RowBatcherOptions["onBadRow"] {
  const skip = countSkippedErrors(report);
  return (_, error) => {
    const policy = error.problem === "long" && onLongRow !== "truncate" ? onLongRow : onBadRow;
    if (policy === "error") raise(error);
    skip(error);
  };
}

/** Reports each row that is left out, once, and how many there were. */
function countSkippedErrors(report: (line: string) => void): (error: LlavaError) => void {
  const skipped = new Set<string>();
  return ({ message }) => {
    if (skipped.has(message)) return;
    skipped.add(message);
    report(`skipping ${message} (${skipped.size} so far)`);
  };
}

/** The rows of the first images, some of each, in the order of the file. */
function firstImages(
  table: RowTable,
  { count, rowsPerImage }: { count: number; rowsPerImage: number },
): LlavaRow[][] {
  const numbers = Array.from({ length: table.length }, (_, row) => row);
  const groups = Map.groupBy(numbers, (row) => table.imagesOf(row).join("\n"));
  return [...groups.values()]
    .slice(0, count)
    .map((group) => group.slice(0, rowsPerImage).map((row) => table.at(row)));
}

/** Batches of 8 images. */
async function heldOutBatches(batcher: RowBatcher, groups: readonly LlavaRow[][]): Promise<RowBatch[]> {
  const batches: RowBatch[] = [];
  for (let start = 0; start < groups.length; start += 8) {
    const batch = await batcher.batch(
      groups.slice(start, start + 8).map((rows) => ({ rows, mirrored: false })),
    );
    if (batch) batches.push(batch);
  }
  return batches;
}
