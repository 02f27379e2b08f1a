import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../pretrained/index.ts";
import {
  mediaOf,
  type PromptPiece,
  rawPrompt,
  readMessages,
  slotsOf,
  type TokenizedPrompt,
} from "../processing/conversation/index.ts";
import type { ImageLayout, ImageLoadOptions } from "../processing/image/index.ts";
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

export interface PromptOptions extends ImageLoadOptions, VideoRequest {
  /** Linear factor of positions; "auto", which counts for prompts with videos, is the smallest that the prompt and its answer need. */
  readonly ropeFactor?: number | "auto";
  /** Tokens that the answer is to have room for. */
  readonly maxTokens?: number;
}

/** What a model reads of a prompt. */
export interface PromptInputs extends Disposable {
  /** With a placeholder for each feature row. */
  readonly inputIds: readonly number[];
  /** [N, 3, H, W] of all tiles, absent without images. */
  readonly pixelValues?: Tensor;
  /** How each image was cut into its tiles. */
  readonly layouts?: readonly ImageLayout[];
  /** Linear factor of its positions, in the place of the model's own. */
  readonly ropeFactor?: number;
  /** Most positions of prompt and answer, under that factor. */
  readonly contextLength: number;
  /** Which frames are seen of each video. */
  readonly videos?: readonly SeenVideo[];
}

/** What is seen of a video. */
interface SeenVideo {
  readonly name: string;
  readonly indices: readonly number[];
  /** In seconds. */
  readonly times: readonly number[];
}

/**
 * Renders a prompt, opens its images and videos, whose headers tell how many tokens they take, tokenizes it, checks that it
 * fits the context, and decodes them.
 * @throws LlavaError "prompt", "image" or "video"; "network" for an image that cannot be fetched
 */
export async function preparePrompt(
  pretrained: PretrainedLlava,
  prompt: Prompt,
  options: PromptOptions = {},
): Promise<PromptInputs> {
  const { processor } = pretrained;
  const { frames, fps, ropeFactor, maxTokens = defaultMaxTokens, ...loading } = options;
  const written = writtenOf(prompt);
  const transparency = options.transparency ?? processor.imageConfig.transparency ?? "drop";
  const opened = await openMedia(written.media, { ...loading, transparency });
  const encode = (count: number | undefined): Encoded => {
    const media = layOut(opened, processor, { frames: count, fps });
    return { media, ...encodeWith(processor, written, media) };
  };
  const given = typeof ropeFactor === "number" ? ropeFactor : undefined;
  const most = mostFrames(opened);
  const fitting = (tokens: number) =>
    mostThatFit((count) => encode(count).prompt.inputIds.length <= tokens, most);
  const encoded = encode(frames === "auto" ? fitting(contextOf(pretrained, given) - maxTokens) : frames);
  const { prompt: ids } = encoded;
  // A template may put videos behind images; what is seen is spliced in the order of the prompt.
  const media = ids.imagePositions.map(({ image }) => encoded.media[image]!);
  requireEmbeddings(ids.inputIds, pretrained);
  const isAuto = given === undefined && most > 0 && frames !== "auto";
  const factor = given ?? (isAuto ? factorFor(ids.inputIds.length + maxTokens, pretrained) : undefined);
  const imageTokens = ids.imagePositions.reduce((sum, { length }) => sum + length, 0);
  try {
    roomFor(ids.inputIds.length, imageTokens, pretrained, factor);
  } catch (error) {
    if (!(error instanceof ContextFullError) || most === 0) throw error;
    throw withFitting(error, fitting(contextOf(pretrained, factor) - 1));
  }
  const videos = media.flatMap((medium): SeenVideo[] =>
    "video" in medium ? [{ name: medium.video.where, ...medium.sampled }] : [],
  );
  const text = {
    inputIds: ids.inputIds,
    contextLength: contextOf(pretrained, factor),
    ...(factor !== undefined && { ropeFactor: factor }),
    ...(videos.length > 0 && { videos }),
  };
  if (media.length === 0) return { ...text, [Symbol.dispose]() {} };
  const { data, tiles, height, width } = await pixelsOf(media, processor);
  const pixelValues = keep(fromTyped(data, { dtype: "float32", shape: [tiles, 3, height, width] }));
  const layouts = media.map(({ layout }) => layout);
  return { ...text, pixelValues, layouts, [Symbol.dispose]: () => pixelValues.dispose() };
}

/** A prompt, and the images and videos that stand in it. */
type Written = { readonly media: readonly MediaSource[] } & (
  | { readonly messages: readonly Message[] }
  | { readonly raw: string }
);

interface Encoded {
  readonly media: readonly OpenedMedium[];
  readonly prompt: TokenizedPrompt;
}

function writtenOf(prompt: Prompt): Written {
  const media = mediaList(prompt.images, "images");
  if ("raw" in prompt) return { raw: prompt.raw, media };
  const messages = readMessages(prompt.messages, media);
  return { messages, media: mediaOf(messages) };
}

function encodeWith(
  processor: Processor,
  written: Written,
  media: readonly OpenedMedium[],
): Pick<Encoded, "prompt"> {
  const layouts = media.map(({ layout }) => layout);
  const pieces: PromptPiece[] =
    "raw" in written
      ? rawPrompt(written.raw, slotsOf(written.media))
      : processor.promptFormat.render(withTimes(written.messages, layouts));
  return { prompt: processor.encodePrompt(pieces, layouts) };
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
