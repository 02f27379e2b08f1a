import { type LlavaRow, rowError } from "../../protocol/index.ts";
import {
  type Conversation,
  countImageMarks,
  countSlots,
  ignoreLabel,
  imageMark,
  type PromptFormat,
  type PromptPiece,
  slottedParts,
  type TokenizedPrompt,
} from "../conversation/index.ts";
import type { ImageLayout } from "../image/index.ts";
import { withTimes } from "./times.ts";
import { findTurnMark } from "./turn-marks.ts";

/** Whether answers may hold what the template marks turns with, such as "</s>"; "keep" trains it as ordinary text. */
export type TurnMarks = "refuse" | "keep";

/** A row as it is trained, answers supervised; of a pair the last one alone. @throws RowError naming the row */
export function rowPieces(
  row: LlavaRow,
  format: PromptFormat,
  { turnMarks, layouts }: { readonly turnMarks: TurnMarks; readonly layouts: readonly ImageLayout[] },
): PromptPiece[] {
  const conversation = withTimes(conversationOfRow(row), layouts);
  if (turnMarks === "refuse") requireNoMark(row, format);
  const pieces = format.render(conversation, { addGenerationPrompt: false });
  return row.rejected === undefined ? pieces : lastAnswerTrained(pieces);
}

const isTrained = (piece: PromptPiece): boolean => "text" in piece && piece.supervised === true;

/** The answer that a pair ends in is what it is about; those before are part of the prompt. */
function lastAnswerTrained(pieces: readonly PromptPiece[]): PromptPiece[] {
  let first = pieces.findLastIndex(isTrained);
  while (first > 0 && isTrained(pieces[first - 1]!)) first--;
  return pieces.map((piece, at) =>
    at < first && "text" in piece && piece.supervised ? { ...piece, supervised: false } : piece,
  );
}

/**
 * The turns of a row. A first turn that is not human is dropped, as in the original; roles alternate after it.
 * @throws RowError naming the row: roles out of order, no question with an answer, another number of placeholders than of
 * images and videos
 */
export function conversationOfRow(row: LlavaRow): Conversation {
  const { conversations } = row;
  const turns = conversations[0]?.from === "human" ? conversations : conversations.slice(1);
  if (turns.length < 2) throw rowError(row, "turns", "it has no question with an answer", turnHint);
  let placed = 0;
  const slot = () => ({ type: row.images[placed++]?.isVideo ? ("video" as const) : ("image" as const) });
  const messages = turns.map(({ from, value }, i): Conversation[number] => {
    const expected = i % 2 === 0 ? "human" : "gpt";
    if (from !== expected)
      throw rowError(row, "turns", `turn ${i + 1} is from "${from}", expected "${expected}"`, turnHint);
    return from === "human"
      ? { role: "user", content: slottedParts(value, Array.from({ length: countImageMarks(value) }, slot)) }
      : { role: "assistant", content: value };
  });
  requireTwoAnswers(row);
  const placeholders = countSlots(messages);
  const images = row.images.length;
  if (placeholders === images)
    return row.system === undefined ? messages : [{ role: "system", content: row.system }, ...messages];
  throw rowError(
    row,
    "placeholders",
    `${placeholders} ${imageMark} in its text, but ${countedMedia(row)}`,
    `Write ${imageMark} once for each image, in a human turn; where a video goes, <video>.`,
  );
}

/** Of a pair: answers of equal texts prefer nothing, and a mark would put an image on one side alone. */
function requireTwoAnswers(row: LlavaRow): void {
  const { rejected } = row;
  if (rejected === undefined) return;
  const chosen = row.conversations.at(-1)!.value;
  const marked = [chosen, rejected].find((answer) => answer.includes(imageMark));
  if (marked !== undefined)
    throw rowError(
      row,
      "placeholders",
      `an answer of the pair holds ${imageMark}, which the other side has no image for`,
      "Both sides of a pair are about the prompt's images; take the mark out.",
    );
  if (chosen.trim() === rejected.trim())
    throw rowError(row, "equal", "its two answers are equal", "Take the pair out: it prefers nothing.");
}

function countedMedia({ images }: LlavaRow): string {
  const videos = images.filter(({ isVideo }) => isVideo).length;
  const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;
  const ofImages = counted(images.length - videos, "image");
  if (videos === 0) return ofImages;
  return videos === images.length ? counted(videos, "video") : `${ofImages} and ${counted(videos, "video")}`;
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

/** @throws RowError where no answer has a token */
export function requireTrained(row: LlavaRow, { labels }: TokenizedPrompt): void {
  if (labels.some((label) => label !== ignoreLabel)) return;
  throw rowError(
    row,
    "untrained",
    "nothing in it is trained: no answer has a token",
    "Give it an answer, or take it out.",
  );
}
