import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import { conversationOfRow } from "../../processing/processor/index.ts";
import { type LlavaRow, notAPair, type RowImage, rowError } from "../../protocol/index.ts";
import { mixSeed } from "../../random/index.ts";
import { adaptRow } from "./dataset-rows.ts";
import { type Dataset, isShard, readDatasets } from "./mixture.ts";
import { type FoundRow, foundRows, RowFile } from "./row-file.ts";
import { lengthOfRow } from "./row-length.ts";
import { filterTable, type RowTable } from "./row-table.ts";
import { chooseRows } from "./sampling-strategy.ts";

export interface OpenRowsOptions {
  /** Folder that image names are relative to, where a dataset has none of its own. */
  readonly images: string;
  /** Decides which rows a strategy draws. */
  readonly seed: number;
  /** Told of every row that cannot be used, which is then left out; may throw instead. */
  readonly onBadRow: (error: LlavaError) => void;
  /** Whether rows are to be pairs of answers, as preferences are learnt from. */
  readonly arePairs?: boolean;
  /** Called for each row that is a pair. */
  readonly onPair?: () => void;
  /** Called after each row that was looked at. */
  readonly onRow?: () => void;
}

/**
 * The rows that a name stands for (see `readDatasets`), each looked at once: that it is a row, that its turns are in order
 * with a placeholder for each image, and that its images are there. They stay in their files, and are read when they are
 * asked for. Image names of a dataset with a folder of its own become absolute.
 * @throws LlavaError "config" for shards, which are read in order instead (`ShardBatchSampler`)
 */
export async function openRows(name: string, options: OpenRowsOptions): Promise<RowTable> {
  const tables: RowTable[] = [];
  for (const [index, dataset] of (await readDatasets(name)).entries()) {
    if (isShard(dataset.path))
      throw new LlavaError("config", `${dataset.path} is a shard, whose rows are not read one by one`, {
        hint: "Name shards alone, not together with files of rows.",
      });
    const table = await openDataset(dataset, index, options);
    const chosen = chooseRows(dataset.strategy, table.length, mixSeed(options.seed, index));
    const isChosen = new Set(chosen);
    tables.push(chosen.length === table.length ? table : filterTable(table, (row) => isChosen.has(row)));
  }
  return concatenated(tables);
}

async function openDataset(dataset: Dataset, number: number, options: OpenRowsOptions): Promise<RowTable> {
  const file = new RowFile(dataset.path);
  const images: (readonly RowImage[])[] = [];
  const lengths: number[] = [];
  const isThere = existing(options.images);
  for await (const batch of foundRows(dataset.path))
    for (const found of batch) {
      options.onRow?.();
      const row = usable(found, dataset, isThere, options);
      if (row === undefined || !("span" in found)) continue;
      file.add(found.span);
      images.push(row.images.map(({ bytes: _, ...image }) => image));
      lengths.push(lengthOfRow(row));
    }
  return {
    length: file.length,
    at: (index) => adaptRow(file.at(index), dataset),
    imagesOf: (index) => images[index]!,
    lengthOf: (index) => lengths[index]!,
    datasetOf: () => number,
  };
}

function usable(
  found: FoundRow,
  dataset: Dataset,
  isThere: (image: string) => string | undefined,
  { arePairs, onPair, onBadRow }: OpenRowsOptions,
): LlavaRow | undefined {
  try {
    if ("error" in found) throw found.error;
    const row = adaptRow(found.row, dataset);
    conversationOfRow(row);
    if (arePairs && row.rejected === undefined) throw notAPair(row);
    if (row.rejected !== undefined) onPair?.();
    for (const { name } of row.images) {
      const missing = isThere(name);
      if (missing !== undefined)
        throw rowError(row, "missing", `${missing} does not exist`, "Check the folder of images and videos.");
    }
    return row;
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
    onBadRow(error);
    return undefined;
  }
}

/** The path of an image that is not there, looked up once. */
function existing(folder: string): (image: string) => string | undefined {
  const known = new Map<string, boolean>();
  return (image) => {
    let isThere = known.get(image);
    if (isThere === undefined) {
      isThere = existsSync(resolve(folder, image));
      known.set(image, isThere);
    }
    return isThere ? undefined : resolve(folder, image);
  };
}

function concatenated(tables: readonly RowTable[]): RowTable {
  if (tables.length === 1) return tables[0]!;
  const ends: number[] = [];
  for (const { length } of tables) ends.push((ends.at(-1) ?? 0) + length);
  const find = (index: number): [RowTable, number] => {
    const table = ends.findIndex((end) => index < end);
    return [tables[table]!, index - (table === 0 ? 0 : ends[table - 1]!)];
  };
  const read =
    <T>(get: (table: RowTable, index: number) => T) =>
    (index: number): T =>
      get(...find(index));
  return {
    length: ends.at(-1) ?? 0,
    at: read((table, index) => table.at(index)),
    imagesOf: read((table, index) => table.imagesOf(index)),
    lengthOf: read((table, index) => table.lengthOf(index)),
    datasetOf: read((table, index) => table.datasetOf(index)),
  };
}
