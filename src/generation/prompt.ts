import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../pretrained/index.ts";
import {
  imagesOf,
  type PromptFormat,
  type PromptPiece,
  rawPrompt,
  readMessages,
} from "../processing/conversation/index.ts";
import { type ImageLayout, type ImageLoadOptions, openImage } from "../processing/image/index.ts";
import { type ImageSource, imageList, type WrittenMessage } from "../protocol/index.ts";
import { fromTyped, keep, type Tensor } from "../torch/index.ts";
import { roomFor } from "./budget.ts";

/**
 * A conversation to be written in the model's prompt format, or a prompt word for word. `<image>` stands where an image
 * goes; a conversation without it has the images in front of its last message.
 */
export type Prompt =
  | { readonly messages: readonly WrittenMessage[]; readonly images?: PromptImages }
  | { readonly raw: string; readonly images?: PromptImages };

/** One image, or several in order. */
export type PromptImages = ImageSource | readonly ImageSource[];

/** What a model reads of a prompt. */
export interface PromptInputs extends Disposable {
  /** With a placeholder for each feature row. */
  readonly inputIds: readonly number[];
  /** [N, 3, H, W] of all tiles, absent without images. */
  readonly pixelValues?: Tensor;
  /** How each image was cut into its tiles. */
  readonly layouts?: readonly ImageLayout[];
}

/**
 * Renders a prompt, opens its images, whose headers tell how many tokens they take, tokenizes it, checks that it fits the
 * context, and decodes the images.
 * @throws LlavaError "prompt" or "image"; "network" for an image that cannot be fetched
 */
export async function preparePrompt(
  pretrained: PretrainedLlava,
  prompt: Prompt,
  options: ImageLoadOptions = {},
): Promise<PromptInputs> {
  const { processor } = pretrained;
  const { sources, pieces } = piecesOf(prompt, processor.promptFormat);
  const transparency = options.transparency ?? processor.imageConfig.transparency ?? "drop";
  const opened = await Promise.all(sources.map((source) => openImage(source, { ...options, transparency })));
  const layouts = processor.layoutsOf(opened.map(({ size }) => size));
  const { inputIds, imagePositions } = processor.encodePrompt(pieces, layouts);
  requireEmbeddings(inputIds, pretrained);
  const imageTokens = imagePositions.reduce((sum, { length }) => sum + length, 0);
  roomFor(inputIds.length, imageTokens, pretrained);
  if (sources.length === 0) return { inputIds, [Symbol.dispose]() {} };
  const images = await Promise.all(
    opened.map(async (image, at) => processor.pixels(await image.decode(), { layout: layouts[at] })),
  );
  const [{ height, width }] = images as [(typeof images)[number]];
  const tiles = images.reduce((sum, image) => sum + image.tiles, 0);
  const values = new Float32Array(tiles * 3 * height * width);
  let start = 0;
  for (const { data } of images) {
    values.set(data, start);
    start += data.length;
  }
  const pixelValues = keep(fromTyped(values, { dtype: "float32", shape: [tiles, 3, height, width] }));
  return { inputIds, pixelValues, layouts, [Symbol.dispose]: () => pixelValues.dispose() };
}

function piecesOf(
  prompt: Prompt,
  format: PromptFormat,
): { sources: readonly ImageSource[]; pieces: PromptPiece[] } {
  const images = imageList(prompt.images, "images");
  if ("raw" in prompt) return { sources: images, pieces: rawPrompt(prompt.raw, images.length) };
  const messages = readMessages(prompt.messages, images);
  return { sources: imagesOf(messages), pieces: format.render(messages) };
}

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
