import {
  countImageMarks,
  ignoreLabel,
  imageMark,
  imagesOf,
  markedParts,
  type PromptFormat,
  type TokenizedPrompt,
  tokenizePrompt,
} from "../processing/conversation/index.ts";
import type { Tokenizer } from "../processing/tokenizer/index.ts";
import { type LlavaRow, type Message, rowError } from "../protocol/index.ts";
import { findTurnMark } from "./turn-marks.ts";

/** How a row's turns become ids. */
export interface RowEncoding {
  readonly tokenizer: Tokenizer;
  readonly format: PromptFormat;
  /** Feature rows of an image. */
  readonly imageTokens: (image: string) => number;
  /** The id that stands at each of them. */
  readonly imageTokenId: number;
  /** Whether answers may hold what the template marks turns with, such as "</s>"; "keep" trains it as ordinary text. */
  readonly turnMarks?: "refuse" | "keep";
}

/** A row as the model sees it. */
export interface EncodedRow extends TokenizedPrompt {
  readonly id: string;
  /** In order of appearance. */
  readonly images: readonly string[];
}

/**
 * Ids and labels of a row, grown together piece by piece. Throws `data`, naming the row: what `messagesOfRow` refuses, an
 * answer that holds what the template marks turns with, nothing to train.
 */
export function encodeRow(row: LlavaRow, encoding: RowEncoding): EncodedRow {
  const { tokenizer, format, imageTokens, imageTokenId, turnMarks = "refuse" } = encoding;
  const images = row.images.map(({ name }) => name);
  const messages = messagesOfRow(row);
  if (turnMarks === "refuse") requireNoMark(row, format);
  const pieces = format.render(messages, { addGenerationPrompt: false });
  const prompt = tokenizePrompt(pieces, tokenizer, {
    imageTokens: (index) => imageTokens(images[index]!),
    imageTokenId,
  });
  if (prompt.labels.every((label) => label === ignoreLabel))
    throw rowError(
      row,
      "untrained",
      "nothing in it is trained: no answer has a token",
      "Give it an answer, or take it out.",
    );
  return { ...prompt, id: row.id, images };
}

/** What becomes of rows that are too long. */
export interface RowLimits {
  /** Longest row, tokens with those of its images. */
  readonly maxTokens: number;
  /** Turns are taken off the end of a row that is longer, as long as one remains. */
  readonly truncates: boolean;
}

/** As `encodeRow`; throws `data` also for a row that stays too long. */
export function encodeWithin(row: LlavaRow, encoding: RowEncoding, limits: RowLimits): EncodedRow {
  const { maxTokens, truncates } = limits;
  const encoded = encodeRow(row, encoding);
  const { length } = encoded.inputIds;
  if (length <= maxTokens) return encoded;
  const shorter = withoutLastTurns(row);
  if (truncates && shorter.conversations.length >= 2) return encodeWithin(shorter, encoding, limits);
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

/**
 * The turns as messages. A first turn that is not human is dropped, as in the original; roles alternate after it.
 * Throws `data`, naming the row: roles out of order, no question with an answer, another number of placeholders than of
 * images.
 */
export function messagesOfRow(row: LlavaRow): Message[] {
  const { conversations } = row;
  const turns = conversations[0]?.from === "human" ? conversations : conversations.slice(1);
  if (turns.length < 2) throw rowError(row, "turns", "it has no question with an answer", turnHint);
  const messages = turns.map(({ from, value }, i): Message => {
    const expected = i % 2 === 0 ? "human" : "gpt";
    if (from !== expected)
      throw rowError(row, "turns", `turn ${i + 1} is from "${from}", expected "${expected}"`, turnHint);
    return from === "human"
      ? { role: "user", content: markedParts(value, Array(countImageMarks(value)).fill("")) }
      : { role: "assistant", content: value };
  });
  const placeholders = imagesOf(messages).length;
  const images = row.images.length;
  if (placeholders === images)
    return row.system === undefined ? messages : [{ role: "system", content: row.system }, ...messages];
  throw rowError(
    row,
    "placeholders",
    `${placeholders} ${imageMark} in its text, but ${images} image${images === 1 ? "" : "s"}`,
    `Write ${imageMark} once for each image, in a human turn.`,
  );
}

const turnHint = "Turns alternate, beginning with a human one.";

function requireNoMark(row: LlavaRow, format: PromptFormat): void {
  for (const [index, { from, value }] of row.conversations.entries()) {
    const mark = from === "gpt" ? findTurnMark(value, format.turnMarks ?? format.stop) : undefined;
    if (mark === undefined) continue;
    throw rowError(
      row,
      "marks",
      `the answer in turn ${index + 1} holds "${mark}", which marks turns in the template ${format.name}`,
      "Take it out of the answer, or give --data.turnMarks keep to train it as ordinary text.",
    );
  }
}
