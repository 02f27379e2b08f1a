import type { LlavaRow } from "../../src/data/index.ts";
import { ignoreLabel } from "../../src/processing/conversation/index.ts";
import type { Tokenizer } from "../../src/processing/tokenizer/index.ts";

/**
 * Ids and labels of the template v1 by the rule of the original LLaVA code: the whole conversation becomes one string, and
 * the places of answers in it are found again by encoding its parts and counting. Where the counts do not add up it masks
 * the row without an error, which `mismatch` tells. Images are one id. For comparison alone.
 */
export function originalMasks(
  row: LlavaRow,
  tokenizer: Tokenizer,
  imageTokenId: number,
): { inputIds: number[]; labels: number[]; mismatch: string | undefined } {
  const hasImage = row.images.length > 0;
  const text = conversationText(row, hasImage);
  const encode = (part: string): number[] => encodeWithImages(part, tokenizer, imageTokenId);
  const inputIds = encode(text);
  const labels = [...inputIds];
  let at = 1;
  labels.fill(ignoreLabel, 0, at);
  for (const round of text.split("</s>")) {
    if (round === "") break;
    const parts = round.split(" ASSISTANT: ");
    if (parts.length !== 2) break;
    const instruction = encode(`${parts[0]} ASSISTANT: `).length - 2;
    labels.fill(ignoreLabel, at, at + instruction);
    // The begin-of-sequence id that each part is encoded with stands for the "</s>" that the split took.
    at += encode(round).length;
  }
  labels.fill(ignoreLabel, at);
  // Padding is the id of unknown tokens, which the original counts out.
  const total = inputIds.filter((id) => id !== tokenizer.unkId).length;
  if (at === total) return { inputIds, labels, mismatch: undefined };
  return {
    inputIds,
    labels: labels.map(() => ignoreLabel),
    mismatch: `it counts ${at} tokens where there are ${total}`,
  };
}

const system =
  "A chat between a curious user and an artificial intelligence assistant. " +
  "The assistant gives helpful, detailed, and polite answers to the user's questions.";

/** An image stands first in its turn, on a line of its own. */
function conversationText({ conversations }: LlavaRow, hasImage: boolean): string {
  const turns = conversations[0]?.from === "human" ? conversations : conversations.slice(1);
  const said = turns.map(({ from, value }) => {
    const isMoved = hasImage && value.includes("<image>");
    const moved = isMoved ? `<image>\n${value.replace("<image>", "").trim()}`.trim() : value;
    return from === "human" ? `USER: ${moved} ` : `ASSISTANT: ${moved}</s>`;
  });
  return `${system} ${said.join("")}`;
}

/** Text between images is encoded by itself; of the begin-of-sequence ids only the first stays. */
function encodeWithImages(text: string, tokenizer: Tokenizer, imageTokenId: number): number[] {
  return text.split("<image>").flatMap((chunk, index) => {
    const ids = tokenizer.encode(chunk, { special: true });
    return index === 0 ? [tokenizer.bosId!, ...ids] : [imageTokenId, ...ids];
  });
}
