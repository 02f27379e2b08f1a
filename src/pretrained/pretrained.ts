import { join } from "node:path";
import { loadStrict, type ParameterTree, renamed, type TensorSource } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { readJsonFile, readJsonObject, readJsonVerbatim } from "../files/index.ts";
import {
  ClipVisionTower,
  contextLengthOf,
  Llama,
  Llava,
  type LlavaConfig,
  ORIGINAL_IMAGE_TOKEN_ID,
  Projector,
  unknownConfigFields,
} from "../models/index.ts";
import {
  imageStartEnd,
  openText,
  type PromptFormat,
  readChatTemplate,
  stopIdsFor,
  type TextSource,
} from "../processing/conversation/index.ts";
import type { ImageProcessorConfig } from "../processing/image/index.ts";
import type { Tokenizer } from "../processing/tokenizer/index.ts";
import type { ResolvedModel } from "../setup/index.ts";
import { aten, type DType, scope } from "../torch/index.ts";
import { isAdapter } from "./adapter-files.ts";
import { type CheckpointFolders, checkpointFolders } from "./checkpoint-folders.ts";
import { describeCheckpoint } from "./describe-checkpoint.ts";
import { loadImageProcessor } from "./image-processor.ts";
import { quantizing } from "./quantizing.ts";
import type { ModelOrigin } from "./save.ts";
import { unusedTensors } from "./unused-tensors.ts";

export interface LoadOptions {
  /** Element type of the weights; as stored without it. */
  readonly dtype?: DType;
  /** Element type of activations, where it is not that of the weights (see `Llava.computeDtype`). */
  readonly computeDtype?: DType;
  readonly device?: string;
  /** "int8": the language model's layers keep their weights in 8 bits, to train adapters beside them in little memory. */
  readonly frozenWeights?: "int8";
  /** Finds the files of a vision tower that a checkpoint names and does not hold. */
  readonly resolve?: (name: string) => Promise<ResolvedModel>;
  /** Folder or hub name of the vision tower of a checkpoint in the original layout, instead of the one that it names. */
  readonly visionTower?: string;
  /** Folder, built-in or hub name of the base model of an adapter, instead of the one that it names, or of a projector. */
  readonly base?: string;
  /** Name of a conversation template to use instead of the checkpoint's own. */
  readonly template?: string;
  /** Told what was found that the files do not agree on, or that is left unused. */
  readonly report?: (line: string) => void;
  /** Chat template in the place of the checkpoint's own: that of an adapter trained on it. */
  readonly chatTemplate?: string | undefined;
}

/** A model with all that turns messages and images into its inputs. */
export interface PretrainedLlava extends Disposable {
  readonly model: Llava;
  readonly tokenizer: Tokenizer;
  readonly imageProcessor: ImageProcessorConfig;
  readonly promptFormat: PromptFormat;
  /** What tokenizer and prompt format were made of. */
  readonly textSource: TextSource;
  /** Ids that end an answer (see `stopIdsFor`). */
  readonly stopIds: readonly number[];
  /** Most positions a sequence may have. */
  readonly contextLength: number;
}

/** Builds the parts that a configuration describes, without weights. */
export function createLlava(config: LlavaConfig): Llava {
  const visionTower = new ClipVisionTower(config.vision, config);
  const projector = new Projector(config.projector, {
    in: visionTower.hiddenSize,
    out: config.text.hiddenSize,
  });
  return new Llava({
    visionTower,
    projector,
    languageModel: new Llama(config.text),
    imageTokenId: config.imageTokenId,
  });
}

/** The name of a tensor of a checkpoint (see `canonicalName`) in LLaVA's module. */
export const moduleName = (canonical: string): string =>
  canonical.startsWith("lm_head.") ? `language_model.${canonical}` : canonical.replace(/^model\./, "");

/** Loads a checkpoint in Hugging Face's or the original LLaVA layout. Its small files are read before its weights. */
export async function loadCheckpoint(folder: string, options: LoadOptions = {}): Promise<PretrainedLlava> {
  if (isAdapter(folder))
    throw new LlavaError("checkpoint", `${folder} holds an adapter, no model (adapter_config.json)`, {
      hint: "loadPretrained finds its base model and loads both.",
    });
  return loadFolders(await checkpointFolders(folder, options), options);
}

export async function loadFolders(
  { config: configFolder, files: folder, read, open, withoutProjector = false }: CheckpointFolders,
  options: LoadOptions,
): Promise<PretrainedLlava> {
  const { report = () => {} } = options;
  const assembled = read?.();
  const { config: described, tower } = assembled
    ? { config: assembled, tower: assembled.visionTower }
    : await describeCheckpoint(configFolder, folder, options);
  reportUnknownFields(join(configFolder, "config.json"), report);
  const [imageProcessor, chatTemplate, stop, modelTypes] = await Promise.all([
    loadImageProcessor(configFolder, tower === undefined ? [folder] : [folder, tower], described),
    options.chatTemplate ?? firstChatTemplate([configFolder, folder]),
    stopIdsOf(folder),
    modelTypesOf(configFolder),
  ]);
  const { useImageStartEnd } = described;
  const format = { name: options.template, chatTemplate, imageStartEnd: useImageStartEnd, ...modelTypes };
  const added = useImageStartEnd ? { added: imageStartEnd } : {};
  const textSource: TextSource = { tokenizer: { folder, ...added }, format };
  const { tokenizer, promptFormat } = await openText(textSource);
  requireMatchingTokenizer(folder, described, tokenizer);
  requireMatchingImages(folder, described, imageProcessor);
  using source = renamed(open(described), moduleName);
  const config = withStoredHead(described, source, report);
  const model = createLlava(config);
  const target = options.frozenWeights === "int8" ? quantizing(model, model.languageModel) : model;
  const unused = unusedTensors(model);
  const { ignored } = loadStrict(withoutProjector ? allButProjector(target) : target, source, {
    ...(options.dtype && { dtype: options.dtype }),
    ...(options.device && { device: options.device }),
    ignore: [...unused, ELSEWHERE],
  });
  const strays = ignored.filter((name) => !unused.some((pattern) => pattern.test(name)));
  if (strays.length > 0)
    report(`${source.where}: not used, being of no part of the model: ${someOf(strays)}`);
  if (options.computeDtype !== undefined) model.computeDtype = options.computeDtype;
  return {
    model,
    tokenizer,
    imageProcessor,
    promptFormat,
    textSource,
    stopIds: stopIdsFor(stop, promptFormat, tokenizer),
    contextLength: contextLengthOf(config.text),
    [Symbol.dispose]: () => model[Symbol.dispose](),
  };
}

/** Tensors that lie in none of the model's parts, and so cannot be of another form of one. */
const ELSEWHERE =
  /^(?!(?:language_model|vision_tower|vision_resampler|multi_modal_projector|mm_projector|image_newline)(?:\.|$))/;

const LISTED = 8;
const someOf = (names: readonly string[]): string =>
  names.slice(0, LISTED).join(", ") + (names.length > LISTED ? ` and ${names.length - LISTED} more` : "");

function reportUnknownFields(path: string, report: (line: string) => void): void {
  const unknown = unknownConfigFields(readJsonObject(path), path);
  if (unknown.length > 0) report(`${path}: not known, and so without effect here: ${someOf(unknown)}`);
}

const HEAD = "language_model.lm_head.weight";
const EMBEDDING = "language_model.embed_tokens.weight";

/**
 * Output weights that are stored beside the embedding they are said to be tied to, with other values, are used, as
 * transformers does since version 5.
 */
function withStoredHead(
  config: LlavaConfig,
  source: TensorSource,
  report: (line: string) => void,
): LlavaConfig {
  if (!config.text.tieWordEmbeddings || !source.has(HEAD) || !source.has(EMBEDDING)) return config;
  const isSame = scope(() => {
    const [head, embedding] = [source.read(HEAD), source.read(EMBEDDING)];
    return aten.equal(head, embedding.to(head.dtype));
  });
  if (isSame) return config;
  report(
    `${source.where}: tie_word_embeddings is true, but lm_head is stored with other values than the embedding's; it is used as stored`,
  );
  return { ...config, text: { ...config.text, tieWordEmbeddings: false } };
}

/** A projector that is to be drawn, or comes from another file, has no place in the checkpoint. */
const allButProjector = (target: ParameterTree): ParameterTree => ({
  namedParameters: () =>
    new Map([...target.namedParameters()].filter(([name]) => !name.startsWith("multi_modal_projector."))),
  setParameter: (name, tensor) => target.setParameter(name, tensor),
});

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

/** Where a checkpoint's parts are, for writing the model again. */
export async function checkpointOrigin(folder: string, options: LoadOptions = {}): Promise<ModelOrigin> {
  const { config: configFolder, files, open } = await checkpointFolders(folder, options);
  const { config, tower } = await describeCheckpoint(configFolder, files, options);
  return {
    files,
    config: readJsonVerbatim(join(configFolder, "config.json")),
    ...(tower !== undefined && { visionTower: tower }),
    open: () => open(config),
  };
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

async function modelTypesOf(folder: string): Promise<{ modelType?: string; textModelType?: string }> {
  const json = await readJsonFile(join(folder, "config.json"));
  const text = json?.["text_config"] as Record<string, unknown> | undefined;
  return {
    ...(typeof json?.["model_type"] === "string" && { modelType: json["model_type"] }),
    ...(typeof text?.["model_type"] === "string" && { textModelType: text["model_type"] }),
  };
}
