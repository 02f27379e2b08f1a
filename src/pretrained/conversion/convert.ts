import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { layouts, openCheckpoint, writeShards } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, makeFolder, writing } from "../../files/index.ts";
import type { DType, Tensor } from "../../torch/index.ts";
import { openPair } from "../gguf-pair.ts";
import type { PretrainedLlava } from "../pretrained.ts";
import { writePromptFiles } from "../prompt-files.ts";
import {
  copySmallFiles,
  type ModelOrigin,
  originalLayout,
  plain,
  requireFileLayout,
  wholeState,
  withTowerInside,
  withTying,
} from "../save.ts";
import { type ComparedTensor, compareWritten, safetensorsType } from "./compare.ts";
import {
  type ConfigurationSource,
  huggingFaceConfig,
  isNextVideo,
  isOriginalConfig,
  originalConfig,
  refuseUnwritable,
  textOf,
  type WrittenLayout,
} from "./configuration.ts";
import { areAddedRows, withoutRows, withRows } from "./embedding-rows.ts";
import { type GgufTypes, writePair } from "./gguf-files.ts";
import {
  addTokens,
  areLastTokens,
  IMAGE_TOKEN,
  placeTokens,
  removeTokens,
  VIDEO_TOKEN,
  writeJson,
} from "./image-token.ts";
import { withOwnTypes } from "./own-types.ts";
import { writeHuggingFaceProcessor, writeOriginalProcessor } from "./processor-files.ts";

export interface ConversionOptions extends GgufTypes {
  readonly to: WrittenLayout;
  /** Folder that must not hold anything yet. */
  readonly output: string;
  /** Element type of the weights; as stored without it. */
  readonly dtype?: DType | undefined;
  /** A file of weights grows no larger, but for a tensor that is larger alone. GGUF files are not cut. */
  readonly maxShardBytes: number;
}

/** What became of a checkpoint. */
export interface ConversionReport {
  readonly from: WrittenLayout;
  readonly to: WrittenLayout;
  readonly output: string;
  readonly files: readonly string[];
  readonly bytes: number;
  readonly largestDifference: number;
  readonly tensors: readonly ComparedTensor[];
  /** Tensors and fields of config.json that are not in the result. */
  readonly leftOut: { readonly tensors: readonly string[]; readonly fields: readonly string[] };
  readonly notes: readonly string[];
}

/** @throws LlavaError "usage" for an output that holds something */
export function requireFreeFolder(output: string): void {
  if (!existsSync(output) || readdirSync(output).length === 0) return;
  throw new LlavaError("usage", `${output} is there and not empty`, {
    hint: "Name a new folder (--output), or remove this one.",
  });
}

/**
 * Writes a checkpoint in the layout that is wanted, reads it back and compares every tensor. The folder appears under its
 * name when it is complete and equal; of one that fails nothing stays.
 * @throws LlavaError "usage" for what the layout cannot hold
 */
export function convertModel(
  { model, processor, origin }: PretrainedLlava,
  { to, output, dtype, maxShardBytes, ...types }: ConversionOptions,
): ConversionReport {
  requireFreeFolder(output);
  requireFileLayout(model);
  if (origin === undefined)
    throw new LlavaError("usage", "a built-in model or an adapter has no layout to be converted", {
      hint: "Give a checkpoint's folder or hub name; llava train writes an adapter's model whole.",
    });
  const source = sourceOf(origin, model, processor);
  const layout = isOriginalConfig(source.json) ? "original" : "hf";
  const isGguf = typeof origin.files !== "string";
  if (to !== "gguf" && (isGguf || to !== layout)) refuseUnwritable(to, source);
  using stored = origin.open();
  const state = isGguf ? withOwnTypes(wholeState(model, stored)) : wholeState(model, stored);
  const partial = `${output}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    makeFolder(partial);
    const { files, compared, ...told } = to === "gguf" ? writeGgufFiles() : writeCheckpoint(to);
    requireEqual(compared);
    writing(output, () => {
      rmSync(output, { recursive: true, force: true });
      renameSync(partial, output);
    });
    const kept = new Set(compared.map(({ name }) => name));
    return {
      ...{ from: isGguf ? "gguf" : layout, to, output, files },
      bytes: compared.reduce((sum, { bytes }) => sum + bytes, 0),
      largestDifference: compared.reduce((most, tensor) => Math.max(most, tensor.largestDifference), 0),
      tensors: compared,
      leftOut: { tensors: [...stored.names()].filter((name) => !kept.has(name)), fields: told.leftOut },
      notes: told.notes,
    };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }

  function writeGgufFiles(): Made {
    const name = basename(resolve(output));
    const pair = writePair(partial, name, state, { origin: origin!, processor, source, layout, ...types });
    const [text, eye] = pair.files.map((file) => join(partial, file)) as [string, string];
    using written = openPair({ text: [text], eye });
    const kept = new Map([...state].filter(([tensor]) => pair.types.has(tensor)));
    const compared = compareWritten(written, kept, (tensor) => pair.types.get(tensor)!);
    return { files: pair.files, compared, leftOut: [], notes: pair.notes };
  }

  function writeCheckpoint(to: "hf" | "original"): Made {
    copySmallFiles(origin!, partial);
    const made = layout === to ? sameLayout() : to === "hf" ? toHuggingFace() : toOriginal();
    const { dtype: _, ...fields } = made.fields;
    writeJson(join(partial, "config.json"), { ...fields, torch_dtype: dtype ?? typeOf(state) });
    writePromptFiles(partial, processor);
    const { write } = layouts[to === "original" ? originalLayout(made.fields) : "huggingFace"];
    const tensors = new Map(
      Array.from(made.state, ([name, tensor]) => [write(name) ?? name, plain(tensor, undefined)]),
    );
    const files = writeShards(partial, tensors, { maxBytes: maxShardBytes, dtype });
    using written = openCheckpoint(partial);
    const compared = compareWritten(written, made.state, safetensorsType(dtype));
    return { files, compared, leftOut: made.leftOut, notes: made.notes };
  }

  function sameLayout(): Written {
    const config = layout === "original" ? withTowerInside(origin!, partial) : origin!.config;
    return { fields: withTying(config, model), state, leftOut: [], notes: [] };
  }

  function toHuggingFace(): Written {
    const { vocabSize } = source.config.text;
    const words = isNextVideo(source) ? [IMAGE_TOKEN, VIDEO_TOKEN] : [IMAGE_TOKEN];
    const tokens = placeTokens(processor.tokenizer, vocabSize, words);
    const { rows, added: newWords } = tokens;
    const id = tokens.ids.get(IMAGE_TOKEN)!;
    addTokens(partial, tokens);
    const { fields, leftOut, notes } = huggingFaceConfig(source, {
      ...{ imageTokenId: id, rows },
      videoTokenId: tokens.ids.get(VIDEO_TOKEN) ?? processor.tokenizer.tokenToId(VIDEO_TOKEN) ?? id + 1,
      towerLayers: towerLayersIn(state),
    });
    writeHuggingFaceProcessor(partial, processor.imageConfig, source.config, fields);
    const added =
      rows > vocabSize
        ? [
            `${rows - vocabSize} rows are added to the ${vocabSize} of the vocabulary, each the mean of these, for ${newWords.join(", ")} and up to a multiple of 64`,
          ]
        : newWords.map((word) => `${word} is token ${tokens.ids.get(word)}, which has a row already`);
    return { fields, leftOut, notes: [...notes, ...added], state: withRows(state, rows) };
  }

  function toOriginal(): Written {
    const { vocabSize } = source.config.text;
    const id = source.config.imageTokenId;
    const isAdded = areLastTokens(processor.tokenizer, id) && areAddedRows(state, id);
    const rows = isAdded ? id : vocabSize;
    if (isAdded) removeTokens(partial, id);
    const pad = processor.imageConfig.aspect === "pad";
    const { fields, leftOut, notes } = originalConfig({ ...source, pad }, rows);
    writeOriginalProcessor(partial, processor.imageConfig, source.config, fields);
    const removed = isAdded
      ? [
          `${vocabSize - rows} rows of the vocabulary from ${IMAGE_TOKEN} on are left out: each is the mean of the others, as a conversion adds them`,
        ]
      : [];
    return {
      ...{ fields, leftOut },
      notes: [...notes, ...removed],
      state: isAdded ? withoutRows(state, rows) : state,
    };
  }
}

interface Written {
  readonly fields: JsonObject;
  /** Under canonical names. */
  readonly state: ReadonlyMap<string, Tensor>;
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

/** What came of a layout's files. */
interface Made {
  readonly files: readonly string[];
  readonly compared: readonly ComparedTensor[];
  /** Fields that the layout has no place for. */
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

function sourceOf(
  { config: verbatim, llava: config }: ModelOrigin,
  { languageModel }: PretrainedLlava["model"],
  { imageConfig }: PretrainedLlava["processor"],
): ConfigurationSource {
  const json = JSON.parse(JSON.stringify(verbatim)) as JsonObject;
  const tied = languageModel.config.tieWordEmbeddings;
  return { json, text: textOf(json), config, pad: imageConfig.aspect === "pad", tied };
}

/** What most of the weights are: transformers loads all of them as that. */
function typeOf(state: ReadonlyMap<string, Tensor>): DType {
  const elements = new Map<DType, number>();
  for (const { dtype, elements: more } of state.values())
    elements.set(dtype, (elements.get(dtype) ?? 0) + more);
  return [...elements].reduce((most, next) => (next[1] > most[1] ? next : most))[0];
}

function towerLayersIn(state: ReadonlyMap<string, Tensor>): number {
  const layers = [...state.keys()].map(
    (name) => /^model\.vision_tower\.encoder\.layers\.(\d+)\./.exec(name)?.[1],
  );
  return 1 + Math.max(...layers.map((layer) => Number(layer ?? -1)));
}

export function requireEqual(tensors: readonly ComparedTensor[]): void {
  const wrong = tensors.filter(({ isEqual }) => !isEqual).map(({ name }) => name);
  const overflown = tensors.find(({ largestDifference }) => largestDifference === Number.POSITIVE_INFINITY);
  if (wrong.length === 0 && overflown)
    throw new LlavaError("usage", `${overflown.name} has values that ${overflown.dtype} cannot hold`, {
      hint: "Write another type, such as bf16.",
    });
  if (wrong.length === 0) return;
  throw new LlavaError(
    "checkpoint",
    `${wrong.length} tensors are not as they were when read back: ${wrong.slice(0, 8).join(", ")}`,
    { hint: "The disk may be damaged; convert again." },
  );
}
