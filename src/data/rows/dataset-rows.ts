import { resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import { type LlavaRow, letterPrompt, type RowError, shortAnswerPrompt } from "../../protocol/index.ts";
import { type OnIgnored, type ShardRow, shardRows } from "../shards/shard-rows.ts";
import { type Dataset, isShard, type ResponseFormat } from "./mixture.ts";
import { foundRows, noRows } from "./row-file.ts";

const formatPrompts: Readonly<Record<ResponseFormat, string>> = {
  short: shortAnswerPrompt,
  letter: letterPrompt,
};

/** A row of a dataset in a mixture: its images in the dataset's folder, its first question asking for the form of answer. */
export function adaptRow(row: LlavaRow, { images, responseFormat }: Dataset): LlavaRow {
  let { images: own, conversations } = row;
  if (images !== undefined)
    own = own.map((image) => (image.bytes ? image : { ...image, name: resolve(images, image.name) }));
  if (responseFormat !== undefined) conversations = asking(conversations, formatPrompts[responseFormat]);
  return { ...row, images: own, conversations };
}

function asking(turns: LlavaRow["conversations"], prompt: string): LlavaRow["conversations"] {
  const first = turns.findIndex(({ from }) => from === "human");
  return turns.map((turn, index) =>
    index !== first || turn.value.includes(prompt.trim())
      ? turn
      : { ...turn, value: turn.value.trimEnd() + prompt },
  );
}

/**
 * All that a dataset takes, one row after another, whether a file of rows or a shard; a bad one as an error. Of shards it
 * may take all, or the first so many. @throws LlavaError "config" for other strategies, "data" for a damaged file or an
 * empty one
 */
export async function* datasetRows(dataset: Dataset, onIgnored?: OnIgnored): AsyncGenerator<ShardRow> {
  const { path, strategy } = dataset;
  const isWhole = strategy.take === "all";
  if (!isWhole && (strategy.take !== "first" || strategy.isPercent))
    throw new LlavaError("config", `${path} is read in order: its sampling strategy is all or first:N`, {
      hint: "Other strategies need to know all rows, which files of rows (.json, .jsonl) allow.",
    });
  let left = isWhole ? Infinity : strategy.amount;
  for await (const found of rowsIn(path, onIgnored)) {
    if (left-- <= 0) return;
    yield "row" in found ? { row: adaptRow(found.row, dataset) } : found;
  }
}

async function* rowsIn(
  path: string,
  onIgnored?: OnIgnored,
): AsyncGenerator<{ row: LlavaRow } | { error: RowError }> {
  if (!isShard(path)) {
    for await (const batch of foundRows(path)) yield* batch;
    return;
  }
  let isEmpty = true;
  for await (const found of shardRows(path, onIgnored)) {
    isEmpty = false;
    yield found;
  }
  if (isEmpty) throw noRows(path);
}
