import { join } from "node:path";

import { LlavaError } from "../errors.ts";
import { type JsonObject, readJsonFile, readJsonObject, readJsonVerbatim } from "../files/index.ts";
import {
  contextLengthOf,
  type LlavaConfig,
  ORIGINAL_IMAGE_TOKEN_ID,
  templateOf,
  trainedLengthOf,
  unknownConfigFields,
} from "../models/index.ts";
import { imageStartEnd, readChatTemplate } from "../processing/conversation/index.ts";
import type { ImageProcessorConfig } from "../processing/image/index.ts";
import { openProcessor, type Processor, type ProcessorSource } from "../processing/processor/index.ts";
import type { Tokenizer } from "../processing/tokenizer/index.ts";
import type { CheckpointFolders } from "./checkpoint-folders.ts";
import { describeCheckpoint } from "./describe-checkpoint.ts";
import { loadImageProcessor } from "./image-processor.ts";
import type { DescribeOptions } from "./pretrained.ts";
import type { ModelOrigin } from "./save.ts";
import { loadVideoConfig } from "./video-processor.ts";

/** What the small files of a checkpoint say: its configuration, and all that its inputs are made by. */
export interface OpenedFolders {
  readonly config: LlavaConfig;
  readonly processor: Processor;
  readonly origin: ModelOrigin;
}

/** Reads configuration, tokenizer, image processor, chat template and generation settings. Neither weights nor libtorch are needed. */
export async function openFolders(
  folders: CheckpointFolders,
  options: DescribeOptions,
): Promise<OpenedFolders> {
  const { config: configFolder, files, open } = folders;
  const { report = () => {}, template } = options;
  const { config, tower } = folders.assembled?.() ?? (await describeCheckpoint(configFolder, files, options));
  const path = join(configFolder, "config.json");
  const json = readJsonObject(path);
  reportUnknownFields(json, path, report);
  const { text, grid, imageTokenId, useImageStartEnd } = config;
  const processors = tower === undefined ? [files] : [files, tower];
  const [image, video, chatTemplate, stopIds] = await Promise.all([
    loadImageProcessor({ json, path }, processors, config),
    loadVideoConfig({ json, path }, [files], config),
    options.chatTemplate ?? firstChatTemplate([configFolder, files]),
    stopIdsOf(files),
  ]);
  const source: ProcessorSource = {
    tokenizer: { folder: files, ...(useImageStartEnd && { added: imageStartEnd }) },
    format: {
      name: template,
      chatTemplate,
      imageStartEnd: useImageStartEnd,
      familyTemplate: templateOf(json),
    },
    ...{ image, grid, imageTokenId, stopIds },
    ...(video && { video }),
    contextLength: contextLengthOf(text),
    trainedLength: trainedLengthOf(text),
  };
  const processor = await openProcessor(source);
  requireMatchingTokenizer(files, config, processor.tokenizer);
  requireMatchingImages(files, config, image);
  const verbatim = readJsonVerbatim(path);
  const origin: ModelOrigin = {
    files,
    llava: config,
    config: folders.adapt?.(verbatim) ?? verbatim,
    ...(tower !== undefined && { visionTower: tower }),
    open: () => open(config),
  };
  return { config, processor, origin };
}

function reportUnknownFields(json: JsonObject, path: string, report: (line: string) => void): void {
  const unknown = unknownConfigFields(json, path);
  if (unknown.length > 0) report(`${path}: not known, and so without effect here: ${someOf(unknown)}`);
}

const LISTED = 8;
export const someOf = (names: readonly string[]): string =>
  names.slice(0, LISTED).join(", ") + (names.length > LISTED ? ` and ${names.length - LISTED} more` : "");

/** Tokens without an embedding are let pass where they are special: some checkpoints add a padding token so. */
function requireMatchingTokenizer(
  folder: string,
  { text: { vocabSize }, imageTokenId, useImageStartEnd }: LlavaConfig,
  tokenizer: Tokenizer,
): void {
  const missing = imageStartEnd.find((token) => tokenizer.tokenToId(token)! >= vocabSize);
  if (useImageStartEnd && missing !== undefined)
    throw new LlavaError(
      "checkpoint",
      `${folder}: mm_use_im_start_end puts images between ${imageStartEnd.join(" and ")}; the tokenizer has no ${missing}, and the vocabulary (vocab_size ${vocabSize}) no room for it`,
      { hint: "Get the tokenizer files that were saved with these weights, with added_tokens.json." },
    );
  const special = new Set(tokenizer.specialTokens.values());
  for (let id = vocabSize; id < tokenizer.vocabSize; id++)
    if (tokenizer.idToToken(id) !== undefined && !special.has(id))
      throw new LlavaError(
        "checkpoint",
        `${folder}: the tokenizer has ${tokenizer.vocabSize} tokens, the model's vocabulary (vocab_size) ${vocabSize}`,
        { hint: "Tokenizer and weights are of different models; get the tokenizer files of this one." },
      );
  if (imageTokenId === ORIGINAL_IMAGE_TOKEN_ID || tokenizer.idToToken(imageTokenId) !== undefined) return;
  throw new LlavaError(
    "checkpoint",
    `${join(folder, "config.json")}: image_token_index is ${imageTokenId}, which the tokenizer's ${tokenizer.vocabSize} tokens do not include`,
    { hint: "Configuration and tokenizer are of different models; get both from the same checkpoint." },
  );
}

function requireMatchingImages(
  folder: string,
  { vision }: LlavaConfig,
  processor: ImageProcessorConfig,
): void {
  const { imageSize: side } = vision;
  const size = processor.crop ?? processor.resize;
  if (size !== null && "width" in size && size.width === side && size.height === side) return;
  const made =
    size !== null && "width" in size ? `images of ${size.width}×${size.height}` : "images of any size";
  throw new LlavaError(
    "config",
    `${folder}: the image processor makes ${made}; the vision tower takes ${side}×${side}`,
    { hint: "preprocessor_config.json and config.json are of different models; get both from the same one." },
  );
}

/** The chat template of the first folder that has one. */
async function firstChatTemplate(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const template = await readChatTemplate(folder);
    if (template !== undefined) return template;
  }
  return undefined;
}

async function stopIdsOf(folder: string): Promise<number[]> {
  for (const name of ["generation_config.json", "config.json"]) {
    const ids = (await readJsonFile(join(folder, name)))?.["eos_token_id"];
    if (typeof ids === "number") return [ids];
    if (Array.isArray(ids)) return ids.filter((id) => typeof id === "number");
  }
  return [];
}
