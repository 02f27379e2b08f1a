import { join } from "node:path";
import { readGgufHeader } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, parseJsonObject } from "../../files/index.ts";
import {
  contextLengthOf,
  eyeFromGguf,
  imageConfigOf,
  type LlavaConfig,
  ORIGINAL_IMAGE_TOKEN_ID,
  templateOf,
} from "../../models/index.ts";
import { type ImageProcessorConfig, parseImageProcessorConfig } from "../../processing/image/index.ts";
import { Processor, type ProcessorSource } from "../../processing/processor/index.ts";
import { type GgufMetadata, tokenizerFiles, tokenizerFromGguf } from "../../processing/tokenizer/index.ts";
import {
  type ConfigurationSource,
  huggingFaceConfig,
  IMAGE_TOKEN,
  originalConfig,
  VIDEO_TOKEN,
  writeHuggingFaceProcessor,
  writeJson,
  writeOriginalProcessor,
} from "../conversion/index.ts";
import { type GgufPair, openPair } from "../gguf-pair.ts";
import { IMAGE_PROCESSOR } from "../gguf-words.ts";
import { loadWeights } from "../load-folders.ts";
import type { DescribedModel, LoadOptions } from "../pretrained.ts";
import type { ModelOrigin } from "../save.ts";
import { readText } from "./text.ts";

/** A LLaVA of which a pair of GGUF files says all: configuration, tokenizer, prompts and images. */
export function describeGguf(pair: GgufPair, options: LoadOptions): DescribedModel {
  if (options.base !== undefined)
    throw new LlavaError("usage", `${pair.text[0]} is a whole model, which needs no base`, {
      hint: "Leave out the base; it is for adapters, and for projectors of a first stage.",
    });
  const { header, config: text, fields } = readText(pair.text[0], options.report);
  const eyeHeader = readGgufHeader(pair.eye);
  const { layout, pad, mean, std, ...eye } = eyeFromGguf(eyeHeader, pair.eye);
  const [width] = eyeHeader.tensors.get("mm.2.weight")!.shape;
  if (width !== text.hiddenSize)
    throw new LlavaError(
      "checkpoint",
      `${pair.eye} projects into ${width} numbers; ${pair.text[0]} takes ${text.hiddenSize}`,
      { hint: "The two files are of different models; get both from the same one." },
    );
  const metadata: GgufMetadata = new Map(
    [...header.metadata].filter(([key]) => key.startsWith("tokenizer.")),
  );
  const tokenizer = tokenizerFromGguf(metadata);
  const config: LlavaConfig = {
    ...eye,
    text,
    imageTokenId: (layout === "hf" ? tokenizer.tokenToId(IMAGE_TOKEN) : undefined) ?? ORIGINAL_IMAGE_TOKEN_ID,
    imageAspectRatio: pad ? "pad" : "crop",
    useImageStartEnd: false,
  };
  const image: ImageProcessorConfig = {
    ...(statedImages(eyeHeader.metadata, pair.eye) ?? {
      ...imageConfigOf(config.vision, "square"),
      normalize: { mean, std },
    }),
    aspect: pad ? "pad" : "square",
    ...(config.tiling && { tiling: config.tiling }),
  };
  const chatTemplate = options.chatTemplate ?? metadata.get("tokenizer.chat_template");
  const source: ProcessorSource = {
    tokenizer: { metadata },
    format: {
      name: options.template,
      chatTemplate: typeof chatTemplate === "string" ? chatTemplate : undefined,
      familyTemplate: templateOf({
        text_config: { model_type: header.metadata.get("general.architecture") },
      }),
    },
    image,
    grid: config.grid,
    imageTokenId: config.imageTokenId,
    contextLength: contextLengthOf(text),
    stopIds: STOPS.map((role) => metadata.get(`tokenizer.ggml.${role}_token_id`)).filter(
      (id) => typeof id === "number",
    ),
  };
  const folders = { open: () => openPair(pair) };
  const written: ConfigurationSource = {
    json: image.transparency ? { image_transparency: image.transparency } : {},
    get text() {
      return fields();
    },
    config,
    pad,
    tied: text.tieWordEmbeddings,
  };
  const configJson = (): JsonObject =>
    layout === "hf" && config.imageTokenId >= 0
      ? huggingFaceConfig(written, {
          imageTokenId: config.imageTokenId,
          videoTokenId: tokenizer.tokenToId(VIDEO_TOKEN) ?? config.imageTokenId + 1,
          rows: text.vocabSize,
          towerLayers: config.vision.numLayers,
        }).fields
      : originalConfig(written, text.vocabSize).fields;
  const origin: ModelOrigin = {
    llava: config,
    get config() {
      return configJson();
    },
    files: {
      tokenizer: metadata,
      write: (folder) => writeSmallFiles(folder, { metadata, image, config, fields: configJson(), source }),
    },
    open: folders.open,
  };
  return {
    processor: new Processor(source, tokenizer),
    origin,
    load: () => loadWeights(folders, config, options),
  };
}

/** Roles of tokens that end answers. */
const STOPS = ["eos", "eot", "eom"];

function statedImages(metadata: GgufMetadata, path: string): ImageProcessorConfig | undefined {
  const stated = metadata.get(IMAGE_PROCESSOR);
  if (typeof stated !== "string") return undefined;
  const where = `${path}, ${IMAGE_PROCESSOR}`;
  return parseImageProcessorConfig(parseJsonObject(Buffer.from(stated), where), where);
}

function writeSmallFiles(
  folder: string,
  {
    metadata,
    image,
    config,
    fields,
    source,
  }: {
    metadata: GgufMetadata;
    image: ImageProcessorConfig;
    config: LlavaConfig;
    fields: JsonObject;
    source: ProcessorSource;
  },
): void {
  const { tokenizer, config: roles } = tokenizerFiles(metadata);
  writeJson(join(folder, "tokenizer.json"), tokenizer);
  writeJson(join(folder, "tokenizer_config.json"), { ...roles, model_max_length: source.contextLength });
  const [first, ...others] = source.stopIds;
  const bos = metadata.get("tokenizer.ggml.bos_token_id");
  writeJson(join(folder, "generation_config.json"), {
    ...(typeof bos === "number" && { bos_token_id: bos }),
    ...(first !== undefined && { eos_token_id: others.length > 0 ? source.stopIds : first }),
  });
  const write = "mm_vision_tower" in fields ? writeOriginalProcessor : writeHuggingFaceProcessor;
  write(folder, image, config, fields);
}
