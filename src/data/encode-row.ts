import { LlavaError } from "../errors.ts";
import {
  ignoreLabel,
  type PromptFormat,
  type TokenizedPrompt,
  tokenizePrompt,
} from "../processing/conversation/index.ts";
import type { Tokenizer } from "../processing/tokenizer/index.ts";
import type { ContentPart, Message } from "../protocol/index.ts";
import type { LlavaRow } from "./rows.ts";

/** How a row's turns become ids. */
export interface RowEncoding {
  readonly tokenizer: Tokenizer;
  readonly format: PromptFormat;
  /** Feature rows of an image. */
  readonly imageTokens: (image: string) => number;
  /** The id that stands at each of them. */
  readonly imageTokenId: number;
}

/** A row as the model sees it. */
export interface EncodedRow extends TokenizedPrompt {
  readonly id: string;
  /** In order of appearance. */
  readonly images: readonly string[];
}

const placeholder = "<image>";

/**
 * Ids and labels of a row, grown together piece by piece. Throws `data`, naming the row: roles out of order, another
 * number of placeholders than of images, an answer that holds what the template marks turns with, nothing to train.
 */
export function encodeRow(row: LlavaRow, encoding: RowEncoding): EncodedRow {
  const { tokenizer, format, imageTokens, imageTokenId } = encoding;
  const images = imagesOfRow(row);
  const messages = messagesOfRow(row);
  const placeholders = messages.reduce((sum, { content }) => sum + countImages(content), 0);
  if (placeholders !== images.length)
    throw problem(
      row,
      `${placeholders} ${placeholder} in its text, but ${images.length} image${images.length === 1 ? "" : "s"}`,
      `Write ${placeholder} once for each image, in a human turn.`,
    );
  const pieces = format.render(messages, { addGenerationPrompt: false });
  const prompt = tokenizePrompt(pieces, tokenizer, {
    imageTokens: (index) => imageTokens(images[index]!),
    imageTokenId,
  });
  if (prompt.labels.every((label) => label === ignoreLabel))
    throw problem(
      row,
      "nothing in it is trained: no answer has a token",
      "Give it an answer, or take it out.",
    );
  return { ...prompt, id: row.id, images };
}

/** The names of a row's images, in order. */
export const imagesOfRow = ({ image }: LlavaRow): readonly string[] =>
  image === undefined ? [] : typeof image === "string" ? [image] : image;

/** The turns as messages. A first turn that is not human is dropped, as in the original; roles alternate after it. */
export function messagesOfRow(row: LlavaRow): Message[] {
  const { conversations } = row;
  const turns = conversations[0]?.from === "human" ? conversations : conversations.slice(1);
  if (turns.length < 2) throw problem(row, "it has no question with an answer", rowHint);
  return turns.map(({ from, value }, i): Message => {
    const expected = i % 2 === 0 ? "human" : "gpt";
    if (from !== expected)
      throw problem(row, `turn ${i + 1} is from "${from}", expected "${expected}"`, rowHint);
    return from === "human"
      ? { role: "user", content: partsOf(value) }
      : { role: "assistant", content: value };
  });
}

const rowHint = "Turns alternate, beginning with a human one.";

const partsOf = (text: string): ContentPart[] =>
  text.split(placeholder).flatMap((part, i): ContentPart[] => {
    const image: ContentPart[] = i === 0 ? [] : [{ type: "image", image: "" }];
    return part === "" ? image : [...image, { type: "text", text: part }];
  });

const countImages = (content: Message["content"]): number =>
  typeof content === "string" ? 0 : content.filter(({ type }) => type === "image").length;

const problem = ({ id }: LlavaRow, message: string, hint: string): LlavaError =>
  new LlavaError("data", `row ${id}: ${message}`, { hint });
