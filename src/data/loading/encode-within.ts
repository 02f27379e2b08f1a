import { countImageMarks, ignoreLabel } from "../../processing/conversation/index.ts";
import type { ImageLayout } from "../../processing/image/index.ts";
import type { EncodedRow, Processor, TurnMarks } from "../../processing/processor/index.ts";
import { type LlavaRow, rowError } from "../../protocol/index.ts";

/** How rows become ids, as plain data. */
export interface RowRules {
  /** Longest row, tokens with those of its images. */
  readonly maxTokens: number;
  /** Turns are taken off the end of a row that is longer, as long as one remains; of a pair's answers, ids. */
  readonly truncates: boolean;
  readonly turnMarks: TurnMarks;
}

/** As `Processor.encodeRow`. @throws RowError also for a row that stays too long */
export function encodeWithin(
  row: LlavaRow,
  processor: Processor,
  layouts: readonly ImageLayout[],
  rules: RowRules,
): EncodedRow {
  const { maxTokens, truncates } = rules;
  const encoded = processor.encodeRow(row, layouts, rules.turnMarks);
  const { length } = encoded.inputIds;
  if (length <= maxTokens) return encoded;
  if (truncates && row.rejected !== undefined) return withShorterAnswer(row, encoded, maxTokens);
  const shorter = withoutLastTurns(row);
  if (truncates && shorter.conversations.length >= 2) return encodeWithin(shorter, processor, layouts, rules);
  if (truncates)
    throw rowError(
      row,
      "long",
      `its first question and answer alone are ${length} tokens, more than ${maxTokens}`,
      "Turns are taken off whole: raise --data.maxTokens, or give --data.onLongRow skip.",
    );
  throw rowError(
    row,
    "long",
    `${length} tokens, more than ${maxTokens}`,
    "Raise --data.maxTokens, or give --data.onLongRow truncate or skip.",
  );
}

/** Without its last question and answer, and the images that stand there. */
function withoutLastTurns(row: LlavaRow): LlavaRow {
  const conversations = row.conversations.slice(0, -2);
  const placeholders = conversations.reduce(
    (sum, { from, value }) => sum + (from === "human" ? countImageMarks(value) : 0),
    0,
  );
  return { ...row, conversations, images: row.images.slice(0, placeholders) };
}

/** Both answers of a pair end at the same place, behind their common prompt. */
function withShorterAnswer(row: LlavaRow, encoded: EncodedRow, maxTokens: number): EncodedRow {
  const prompt = encoded.labels.findIndex((label) => label !== ignoreLabel);
  if (prompt >= maxTokens)
    throw rowError(
      row,
      "long",
      `its prompt alone is ${prompt} tokens; of ${maxTokens} none is left for the answers`,
      "Raise --data.maxTokens, or give --data.onLongRow skip.",
    );
  const segments = encoded.segments.flatMap((segment) =>
    segment.start < maxTokens
      ? [{ ...segment, length: Math.min(segment.length, maxTokens - segment.start) }]
      : [],
  );
  const [inputIds, labels] = [encoded.inputIds, encoded.labels].map((ids) => ids.slice(0, maxTokens));
  return { ...encoded, inputIds: inputIds!, labels: labels!, segments };
}
