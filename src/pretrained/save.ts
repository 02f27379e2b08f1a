import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  layouts,
  RECOMPUTED_TENSORS,
  type TensorSource,
  type WriteOptions,
  writeShards,
} from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { type JsonObject, makeFolder, readJsonObject, writeAtomically, writing } from "../files/index.ts";
import {
  BESIDE_TOWERS,
  type Llava,
  type LlavaConfig,
  PUBLISHED_TOWERS,
  parseVisionConfig,
} from "../models/index.ts";
import { PanelEmbedding, PanelLinear } from "../nn/index.ts";
import type { GgufMetadata } from "../processing/tokenizer/index.ts";
import { type DType, isFloating, noGrad, type Tensor } from "../torch/index.ts";
import { type PromptFiles, writePromptFiles } from "./prompt-files.ts";

/** GGUF files in the place of a checkpoint's small ones. */
interface GgufFiles {
  /** What they say of the tokenizer. */
  readonly tokenizer: GgufMetadata;
  /** Writes a checkpoint's small files, for the configuration that stands for theirs. */
  write(folder: string): void;
}

/** Where a model came from, for what a checkpoint holds besides the weights that were loaded. */
export interface ModelOrigin {
  /** Folder of the tokenizer and other small files; or GGUF files that say the same. */
  readonly files: string | GgufFiles;
  /** What config.json says. */
  readonly llava: LlavaConfig;
  /** config.json, in Hugging Face's or the original layout, read verbatim. */
  readonly config: JsonObject;
  /** Folder of the vision tower, where it is described by one of its own. */
  readonly visionTower?: string;
  /** Writes the files of an image processor that `files` has not: the model has come to see images in another way. */
  readonly writeProcessor?: (folder: string) => void;
  /** All weights under canonical names, those too that the model does not use. */
  open(): TensorSource;
}

/** A file of weights grows no larger, as hubs and their tools have it. */
const SHARD_BYTES = 5e9;

/**
 * Writes a model as the kind of checkpoint it came from, whole: weights as `dtype` with the vision tower's inside,
 * configuration, tokenizer, and how its prompts are written. The folder appears under its name when it is complete.
 */
export function saveModel(
  model: Llava,
  folder: string,
  {
    origin,
    dtype,
    metadata,
    prompts,
    valuesOf,
  }: {
    origin: ModelOrigin;
    dtype: DType;
    metadata: Readonly<Record<string, string>>;
    prompts: PromptFiles;
    valuesOf?: WriteOptions["valuesOf"];
  },
): void {
  requireFileLayout(model);
  const blocks = [...model.namedParameters()].find(([, { dtype: kept }]) => !isFloating(kept));
  if (blocks !== undefined)
    throw new LlavaError("usage", `${folder} is not written: ${blocks[0]} is kept in few bits`, {
      hint: "Load the model without `weights` to save it.",
    });
  const isOriginal = "mm_vision_tower" in origin.config;
  const partial = `${folder}.partial`;
  makeFolder(partial);
  copySmallFiles(origin, partial);
  origin.writeProcessor?.(partial);
  const config = isOriginal ? withTowerInside(origin, partial) : origin.config;
  const { dtype: _, ...fields } = withTying(config, model);
  writeAtomically(join(partial, "config.json"), [
    `${JSON.stringify({ ...fields, torch_dtype: dtype }, null, 2)}\n`,
  ]);
  writePromptFiles(partial, prompts);
  using source = origin.open();
  const { write } = layouts[isOriginal ? originalLayout(config) : "huggingFace"];
  const tensors = new Map(
    [...wholeState(model, source)].map(([name, tensor]) => [write(name) ?? name, tensor]),
  );
  const options = { dtype, metadata: { format: "pt", ...metadata }, valuesOf };
  writeShards(partial, tensors, { maxBytes: SHARD_BYTES, ...options });
  writing(folder, () => {
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  });
}

export const originalLayout = ({ mm_projector_type: type }: JsonObject) =>
  (type ?? "linear") === "linear" ? "originalLinear" : "original";

/** Says whether output weights are tied, where the configuration says otherwise than the weights did. */
export function withTying(config: JsonObject, { languageModel }: Llava): JsonObject {
  const tie_word_embeddings = languageModel.config.tieWordEmbeddings;
  const text = config["text_config"] as JsonObject | undefined;
  const isTied = config["tie_word_embeddings"] === true || text?.["tie_word_embeddings"] === true;
  if (isTied === tie_word_embeddings) return config;
  return {
    ...config,
    tie_word_embeddings,
    ...(text && { text_config: { ...text, tie_word_embeddings } }),
  };
}

/** @throws LlavaError "usage" for a model whose weights lie otherwise than files have them */
export function requireFileLayout(model: Llava): void {
  for (const [name, module] of model.namedModules())
    if (module instanceof PanelLinear || module instanceof PanelEmbedding)
      throw new LlavaError("usage", `the weight of ${name} lies in panels, in which it is not written`, {
        hint: "Load the model anew: an engine laid this one out for itself. Or give the engine `panels: false`.",
      });
}

/** The model's weights and, as they were loaded, those of the checkpoint that it has no place for. */
export function wholeState(model: Llava, source: TensorSource): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  for (const [name, tensor] of model.namedParameters()) state.set(model.paths.read(name)!, tensor);
  const ignored = [...RECOMPUTED_TENSORS, ...BESIDE_TOWERS];
  // Output weights that the model has tied to its embedding would be read instead of it.
  if (model.languageModel.config.tieWordEmbeddings) ignored.push(/^lm_head\./);
  for (const name of source.names())
    if (!state.has(name) && !ignored.some((pattern) => pattern.test(name)))
      state.set(name, source.read(name));
  return state;
}

export const plain = (tensor: Tensor, dtype: DType | undefined): Tensor =>
  noGrad(() =>
    (dtype !== undefined && isFloating(tensor.dtype) ? tensor.detach().to(dtype) : tensor.detach()).toDevice(
      "cpu",
    ),
  );

/** Folder that describes the tower of an original checkpoint, in it. */
export const DESCRIBED_TOWER = "vision_tower";

/** An original checkpoint that says that its tower is in its own files; its shape and its images' stay known. */
export function withTowerInside({ config, visionTower }: ModelOrigin, folder: string): JsonObject {
  const inside = { ...config, unfreeze_mm_vision_tower: true };
  if (visionTower === undefined) return inside;
  const path = join(visionTower, "config.json");
  const published = PUBLISHED_TOWERS[String(config["mm_vision_tower"])];
  if (published && isDeepStrictEqual(parseVisionConfig(readJsonObject(path), path), published)) return inside;
  const described = join(folder, DESCRIBED_TOWER);
  mkdirSync(described, { recursive: true });
  for (const name of ["config.json", "preprocessor_config.json"])
    if (existsSync(join(visionTower, name))) cpSync(join(visionTower, name), join(described, name));
  return { ...inside, mm_vision_tower: DESCRIBED_TOWER };
}

const smallFile =
  /^(?:tokenizer|special_tokens|added_tokens|vocab|merges|generation_config|(?:video_)?preprocessor|processor|chat_template)/;

/** Everything but weights, their index and the configuration. */
export function copySmallFiles({ files }: ModelOrigin, folder: string): void {
  if (typeof files !== "string") {
    files.write(folder);
    return;
  }
  for (const name of readdirSync(files))
    if (smallFile.test(name))
      writing(join(folder, name), () => cpSync(join(files, name), join(folder, name)));
}
