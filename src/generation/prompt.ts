import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../models/index.ts";
import { imagesOf, rawPrompt, tokenizePrompt } from "../processing/conversation/index.ts";
import { type LoadOptions as ImageLoadOptions, loadImage, preprocess } from "../processing/image/index.ts";
import type { ImageSource, Message } from "../protocol/index.ts";
import { fromTyped, keep, type Tensor } from "../torch/index.ts";
import { roomFor } from "./generate.ts";

/** A conversation to be written in the model's prompt format, or a prompt word for word with `<image>` where one goes. */
export type Prompt =
  | { readonly messages: readonly Message[] }
  | { readonly raw: string; readonly images?: readonly ImageSource[] };

/** What a model reads of a prompt. */
export interface PromptInputs extends Disposable {
  /** With a placeholder for each feature row. */
  readonly inputIds: readonly number[];
  /** [N, 3, H, W], absent without images. */
  readonly pixelValues?: Tensor;
}

/**
 * Renders and tokenizes a prompt, checks that it fits the context, and loads its images.
 * @throws LlavaError "prompt" or "image"; "network" for an image that cannot be fetched
 */
export async function preparePrompt(
  pretrained: PretrainedLlava,
  prompt: Prompt,
  options: ImageLoadOptions = {},
): Promise<PromptInputs> {
  const { model, tokenizer, imageProcessor, promptFormat } = pretrained;
  const sources = "raw" in prompt ? (prompt.images ?? []) : imagesOf(prompt.messages);
  const pieces =
    "raw" in prompt ? rawPrompt(prompt.raw, sources.length) : promptFormat.render(prompt.messages);
  const { inputIds } = tokenizePrompt(pieces, tokenizer, {
    imageTokens: () => model.visionTower.tokens,
    imageTokenId: model.imageTokenId,
  });
  requireEmbeddings(inputIds, pretrained);
  roomFor(inputIds.length, sources.length * model.visionTower.tokens, pretrained);
  if (sources.length === 0) return { inputIds, [Symbol.dispose]() {} };
  const images = await Promise.all(
    sources.map(async (source) => {
      const transparency = options.transparency ?? imageProcessor.transparency ?? "drop";
      return preprocess(await loadImage(source, { ...options, transparency }), imageProcessor);
    }),
  );
  const [{ data, height, width }] = images as [(typeof images)[number]];
  const values = new Float32Array(images.length * data.length);
  for (const [index, image] of images.entries()) values.set(image.data, index * data.length);
  const pixelValues = keep(fromTyped(values, { dtype: "float32", shape: [images.length, 3, height, width] }));
  return { inputIds, pixelValues, [Symbol.dispose]: () => pixelValues.dispose() };
}

/** A tokenizer may know special tokens that the embedding table has no row for. */
function requireEmbeddings(inputIds: readonly number[], { model, tokenizer }: PretrainedLlava): void {
  const { vocabSize } = model.languageModel.config;
  const missing = inputIds.find((id) => id >= vocabSize && id !== model.imageTokenId);
  if (missing === undefined) return;
  throw new LlavaError(
    "prompt",
    `the prompt has the token ${JSON.stringify(tokenizer.idToToken(missing))} (${missing}); the model embeds ${vocabSize}`,
    { hint: "Leave this token out of the prompt." },
  );
}
