import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../pretrained/index.ts";
import {
  detailsOf,
  mediaOf,
  type PromptPiece,
  promptText,
  rawPrompt,
  readMessages,
  slotsOf,
  type TokenizedPrompt,
} from "../processing/conversation/index.ts";
import type { ImageLayout, ImageLoadOptions, PixelValues } from "../processing/image/index.ts";
import {
  layOut,
  mostFrames,
  mostThatFit,
  type OpenedMedium,
  openMedia,
  type Processor,
  pixelsOf,
  type VideoRequest,
  withTimes,
} from "../processing/processor/index.ts";
import {
  ContextFullError,
  type MediaSource,
  type Message,
  mediaList,
  type WrittenMessage,
} from "../protocol/index.ts";
import { fromTyped, keep, type Tensor } from "../torch/index.ts";
import { contextOf, defaultMaxTokens, roomFor } from "./budget.ts";

/**
 * A conversation to be written in the model's prompt format, or a prompt word for word. `<image>` stands where an image
 * or a video goes, and `<video>` where a video does; a conversation without them has both in front of its last message.
 */
export type Prompt =
  | { readonly messages: readonly WrittenMessage[]; readonly images?: PromptImages }
  | { readonly raw: string; readonly images?: PromptImages };

/** One image, or several in order; a video among them is an object: {"path"} or {"frames"}. */
export type PromptImages = MediaSource | readonly MediaSource[];

/** A conversation or a text in which no words stand for an image or a special token: whoever wrote them meant words. */
export type LiteralPrompt =
  | {
      readonly conversation: readonly Message[];
      /** Whether the last message, the assistant's, is gone on with instead of answered. */
      readonly continuesFinal?: boolean;
    }
  | { readonly text: string };

export interface PromptOptions extends ImageLoadOptions, VideoRequest {
  /** Frames that are seen of a video at most, none of them twice. */
  readonly mostFrames?: number;
  /** Linear factor of positions; "auto", which counts for prompts with videos, is the smallest that the prompt and its answer need. */
  readonly ropeFactor?: number | "auto";
  /** Tokens that the answer is to have room for. */
  readonly maxTokens?: number;
  /** What is thrown where the medium at an index, in the order of the prompt's parts, cannot be read. */
  readonly refusal?: (error: unknown, medium: number) => unknown;
}

/** A prompt in ids, whose images and videos are open but not decoded. */
export interface OpenedPrompt {
  /** With a placeholder for each feature row. */
  readonly inputIds: readonly number[];
  /** As one string, with marks where images stand. */
  readonly text: string;
  /** Where each medium stands among the ids, in order. */
  readonly places: readonly { readonly start: number; readonly length: number }[];
  /** In the order of their places. */
  readonly media: readonly OpenedMedium[];
  /** Of what each was opened. */
  readonly sources: readonly MediaSource[];
  /** What is thrown where the medium at an index of `media` cannot be read. */
  refusal(error: unknown, index: number): unknown;
  readonly imageTokens: number;
  /** Linear factor of its positions, in the place of the model's own. */
  readonly ropeFactor?: number;
  /** Most positions of prompt and answer, under that factor. */
  readonly contextLength: number;
  /** Which frames are seen of each video. */
  readonly videos?: readonly SeenVideo[];
}

/** What a model reads of a prompt. */
export interface PromptInputs
  extends Disposable,
    Pick<OpenedPrompt, "inputIds" | "ropeFactor" | "contextLength" | "videos"> {
  /** [N, 3, H, W] of all tiles, absent without images. */
  readonly pixelValues?: Tensor;
  /** How each image was cut into its tiles. */
  readonly layouts?: readonly ImageLayout[];
}

/** What is seen of a video. */
interface SeenVideo {
  readonly name: string;
  readonly indices: readonly number[];
  /** In seconds. */
  readonly times: readonly number[];
}

/**
 * Renders a prompt, opens its images and videos, whose headers tell how many tokens they take, tokenizes it and checks that it
 * fits the context.
 * @throws LlavaError "prompt", "image" or "video"; "network" for an image that cannot be fetched
 */
export async function openPrompt(
  pretrained: PretrainedLlava,
  prompt: Prompt | LiteralPrompt,
  options: PromptOptions = {},
): Promise<OpenedPrompt> {
  const { processor } = pretrained;
  const {
    frames,
    fps,
    mostFrames: most,
    ropeFactor,
    maxTokens = defaultMaxTokens,
    refusal = (error) => error,
    ...loading
  } = options;
  const written = writtenOf(prompt);
  const transparency = options.transparency ?? processor.imageConfig.transparency ?? "drop";
  const opened = await Promise.all(
    written.media.map(async (medium, index) => {
      try {
        return (await openMedia([medium], { ...loading, transparency }))[0]!;
      } catch (error) {
        throw refusal(error, index);
      }
    }),
  );
  const encode = (count: number | undefined): Encoded => {
    const media = layOut(opened, processor, { frames: count, fps, most, details: written.details });
    return { media, ...encodeWith(processor, written, media) };
  };
  const given = typeof ropeFactor === "number" ? ropeFactor : undefined;
  const longest = mostFrames(opened);
  const fitting = (tokens: number) =>
    mostThatFit((count) => encode(count).prompt.inputIds.length <= tokens, longest);
  const encoded = encode(frames === "auto" ? fitting(contextOf(pretrained, given) - maxTokens) : frames);
  const { prompt: ids } = encoded;
  requireEmbeddings(ids.inputIds, pretrained);
  const isAuto = given === undefined && longest > 0 && frames !== "auto";
  const factor = given ?? (isAuto ? factorFor(ids.inputIds.length + maxTokens, pretrained) : undefined);
  const imageTokens = ids.imagePositions.reduce((sum, { length }) => sum + length, 0);
  try {
    roomFor(ids.inputIds.length, imageTokens, pretrained, factor);
  } catch (error) {
    if (!(error instanceof ContextFullError) || longest === 0) throw error;
    throw withFitting(error, fitting(contextOf(pretrained, factor) - 1));
  }
  // A template may put videos behind images; what is seen is spliced in the order of the prompt.
  const media = ids.imagePositions.map(({ image }) => encoded.media[image]!);
  const videos = media.flatMap((medium): SeenVideo[] =>
    "video" in medium ? [{ name: medium.video.where, ...medium.sampled }] : [],
  );
  return {
    inputIds: ids.inputIds,
    text: promptText(encoded.pieces),
    places: ids.imagePositions,
    media,
    sources: ids.imagePositions.map(({ image }) => written.media[image]!),
    refusal: (error, index) => refusal(error, ids.imagePositions[index]!.image),
    imageTokens,
    contextLength: contextOf(pretrained, factor),
    ...(factor !== undefined && { ropeFactor: factor }),
    ...(videos.length > 0 && { videos }),
  };
}

/** As `openPrompt`, with its images and videos decoded. */
export async function preparePrompt(
  pretrained: PretrainedLlava,
  prompt: Prompt,
  options: PromptOptions = {},
): Promise<PromptInputs> {
  const { media, inputIds, contextLength, ropeFactor, videos } = await openPrompt(
    pretrained,
    prompt,
    options,
  );
  const text = {
    inputIds,
    contextLength,
    ...(ropeFactor !== undefined && { ropeFactor }),
    ...(videos && { videos }),
  };
  if (media.length === 0) return { ...text, [Symbol.dispose]() {} };
  const pixelValues = keep(tensorOfPixels(await pixelsOf(media, pretrained.processor)));
  const layouts = media.map(({ layout }) => layout);
  return { ...text, pixelValues, layouts, [Symbol.dispose]: () => pixelValues.dispose() };
}

/** float32 [N, 3, H, W] */
export const tensorOfPixels = ({ data, tiles, height, width }: PixelValues): Tensor =>
  fromTyped(data, { dtype: "float32", shape: [tiles, 3, height, width] });

/** A prompt, and the images and videos that stand in it. */
type Written = {
  readonly media: readonly MediaSource[];
  readonly details?: readonly ("low" | undefined)[];
} & (
  | { readonly messages: readonly Message[]; readonly continuesFinal?: boolean }
  | { readonly raw: string }
  | { readonly text: string }
);

interface Encoded {
  readonly media: readonly OpenedMedium[];
  readonly pieces: readonly PromptPiece[];
  readonly prompt: TokenizedPrompt;
}

function writtenOf(prompt: Prompt | LiteralPrompt): Written {
  if ("text" in prompt) return { text: prompt.text, media: [] };
  if ("conversation" in prompt) {
    const { conversation, continuesFinal = false } = prompt;
    const details = detailsOf(conversation);
    return { messages: conversation, continuesFinal, media: mediaOf(conversation), details };
  }
  const media = mediaList(prompt.images, "images");
  if ("raw" in prompt) return { raw: prompt.raw, media };
  const messages = readMessages(prompt.messages, media);
  return { messages, media: mediaOf(messages) };
}

function encodeWith(
  processor: Processor,
  written: Written,
  media: readonly OpenedMedium[],
): Pick<Encoded, "prompt" | "pieces"> {
  const layouts = media.map(({ layout }) => layout);
  const pieces = piecesOf(processor, written, layouts);
  return { pieces, prompt: processor.encodePrompt(pieces, layouts) };
}

function piecesOf(processor: Processor, written: Written, layouts: readonly ImageLayout[]): PromptPiece[] {
  if ("text" in written) return [{ text: written.text, special: false }];
  if ("raw" in written) return rawPrompt(written.raw, slotsOf(written.media));
  const { promptFormat } = processor;
  const messages = withTimes(written.messages, layouts);
  if (written.continuesFinal !== true) return promptFormat.render(messages);
  if (messages.at(-1)?.role !== "assistant")
    throw new LlavaError(
      "prompt",
      "the last message is not the assistant's: there is nothing to go on with",
      {
        hint: "End the conversation with the beginning of the answer.",
      },
    );
  // What the template writes behind an answer is left out; what was said is the last that it did not write.
  const { content } = messages.at(-1)!;
  const isBlank =
    typeof content === "string"
      ? content === ""
      : content.every((part) => "text" in part && part.text === "");
  if (isBlank) return promptFormat.render(messages.slice(0, -1));
  const pieces = promptFormat.render(messages, { addGenerationPrompt: false });
  const said = pieces.findLastIndex((piece) => "text" in piece && !piece.special && piece.text !== "");
  return pieces.slice(0, said + 1);
}

/** The smallest whole factor under which so many tokens fit; undefined where they do so under the model's own. */
function factorFor(tokens: number, pretrained: PretrainedLlava): number | undefined {
  if (tokens <= contextOf(pretrained)) return undefined;
  const factor = Math.ceil(tokens / pretrained.processor.trainedLength);
  return contextOf(pretrained, factor) >= tokens ? factor : undefined;
}

const withFitting = (error: ContextFullError, frames: number): ContextFullError =>
  new ContextFullError(error.promptTokens, error.imageTokens, error.contextLength, {
    hint: `Give fewer frames (--frames ${frames} fits, --frames auto takes the most), or a larger rope factor (--rope-factor).`,
  });

/** A tokenizer may know special tokens that the embedding table has no row for. */
function requireEmbeddings(inputIds: readonly number[], { model, processor }: PretrainedLlava): void {
  const { vocabSize } = model.languageModel.config;
  const missing = inputIds.find((id) => id >= vocabSize && id !== model.imageTokenId);
  if (missing === undefined) return;
  throw new LlavaError(
    "prompt",
    `the prompt has the token ${JSON.stringify(processor.tokenizer.idToToken(missing))} (${missing}); the model embeds ${vocabSize}`,
    { hint: "Leave this token out of the prompt." },
  );
}
