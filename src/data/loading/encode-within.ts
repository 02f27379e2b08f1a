import { countImageMarks } from "../../processing/conversation/index.ts";
import type { ImageLayout } from "../../processing/image/index.ts";
import type { EncodedRow, Processor, TurnMarks } from "../../processing/processor/index.ts";
import { type LlavaRow, rowError } from "../../protocol/index.ts";

/** How rows become ids, as plain data. */
export interface RowRules {
  /** Longest row, tokens with those of its images. */
  readonly maxTokens: number;
  /** Turns are taken off the end of a row that is longer, as long as one remains. */
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
