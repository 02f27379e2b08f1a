import { LlavaError } from "../../errors.ts";
import type { Tokenizer } from "../tokenizer/index.ts";

/** Label of a position that is not trained. */
export const ignoreLabel = -100;

export interface TextPiece {
  readonly text: string;
  /** Whether special strings in the text become special tokens: true for templates, false for everybody else's text. */
  readonly special: boolean;
  /** Whether the model is trained to produce it: an answer and the token that ends it. */
  readonly supervised?: boolean;
}

interface ImagePiece {
  /** Place of the image in the request's list of images, from 0. */
  readonly image: number;
}

/** A rendered prompt is a list of pieces: an image is never a string, and user text never a control token. */
export type PromptPiece = TextPiece | ImagePiece;

interface ImagePosition {
  readonly image: number;
  readonly start: number;
  readonly length: number;
}

/** A run of positions alike in kind and in supervision. */
interface PromptSegment {
  readonly kind: "text" | "image";
  readonly supervised: boolean;
  readonly start: number;
  readonly length: number;
}

export interface TokenizedPrompt {
  /** [T] */
  readonly inputIds: number[];
  /** [T], the id where it is supervised, else −100. */
  readonly labels: number[];
  readonly imagePositions: ImagePosition[];
  readonly segments: PromptSegment[];
}

/**
 * The one way from a rendered prompt to ids. Text between two images is encoded as one string, so merges cross
 * the seams of pieces as they would in the original prompt; ids and labels grow together, and a token across the
 * edge of an answer (the space before its first word) belongs to the answer. The image at `index` takes `imageTokens(index)`
 * positions, each with `imageTokenId`, which may also occur in text: find images by `imagePositions`.
 */
export function tokenizePrompt(
  pieces: readonly PromptPiece[],
  tokenizer: Tokenizer,
  {
    imageTokens,
    imageTokenId,
  }: { readonly imageTokens: (index: number) => number; readonly imageTokenId: number },
): TokenizedPrompt {
  const prompt: TokenizedPrompt = { inputIds: [], labels: [], imagePositions: [], segments: [] };
  let run: TextPiece[] = [];
  const encodeRun = () => {
    const { ids, firstSpan, lastSpan } = tokenizer.encodeSpans(run);
    const isBosMissing = prompt.inputIds.length === 0 && tokenizer.addsBos && ids[0] !== tokenizer.bosId;
    if (isBosMissing) append(prompt, "text", tokenizer.bosId!, false);
    ids.forEach((id, i) => {
      const covered = run.slice(firstSpan[i], lastSpan[i]! + 1);
      const supervised = covered.some((piece) => piece.supervised === true);
      append(prompt, "text", id, supervised);
    });
    run = [];
  };
  for (const piece of pieces) {
    if ("text" in piece) {
      run.push(piece);
      continue;
    }
    encodeRun();
    const length = imageTokens(piece.image);
    prompt.imagePositions.push({ image: piece.image, start: prompt.inputIds.length, length });
    for (let row = 0; row < length; row++) append(prompt, "image", imageTokenId, false);
  }
  encodeRun();
  return prompt;
}

function append(prompt: TokenizedPrompt, kind: "text" | "image", id: number, supervised: boolean): void {
  const start = prompt.inputIds.push(id) - 1;
  prompt.labels.push(supervised ? id : ignoreLabel);
  const last = prompt.segments.at(-1);
  if (last?.kind === kind && last.supervised === supervised) {
    prompt.segments[prompt.segments.length - 1] = { ...last, length: last.length + 1 };
  } else {
    prompt.segments.push({ kind, supervised, start, length: 1 });
  }
}

/** The prompt as one string, images as `<image>`: for people and for comparison, not for tokenising. */
export function promptText(pieces: readonly PromptPiece[]): string {
  return pieces.map((piece) => ("text" in piece ? piece.text : "<image>")).join("");
}

/** Throws `prompt`, naming both numbers, unless every image has its placeholder. */
export function requireImageCount(placeholders: number, images: number): void {
  if (placeholders === images) return;
  const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  throw new LlavaError(
    "prompt",
    `${count(placeholders, "<image> placeholder")} but ${count(images, "image")}`,
    {
      hint:
        images === 0
          ? "Give the image that <image> stands for; the word itself cannot be part of a question."
          : "Write <image> once for each image, where the image goes.",
    },
  );
}
