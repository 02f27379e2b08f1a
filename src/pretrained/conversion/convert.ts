import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { layouts, writeShards } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, makeFolder, readJsonObject, writing } from "../../files/index.ts";
import { parseLlavaConfig, parseVisionConfig } from "../../models/index.ts";
import type { DType, Tensor } from "../../torch/index.ts";
import type { PretrainedLlava } from "../pretrained.ts";
import { writePromptFiles } from "../prompt-files.ts";
import {
  copySmallFiles,
  type ModelOrigin,
  originalLayout,
  plain,
  wholeState,
  withTowerInside,
  withTying,
} from "../save.ts";
import { type ComparedTensor, compareWritten } from "./compare.ts";
import {
  type ConfigurationSource,
  huggingFaceConfig,
  isOriginalConfig,
  originalConfig,
  refuseUnwritable,
  type WrittenLayout,
} from "./configuration.ts";
import { areAddedRows, withoutRows, withRows } from "./embedding-rows.ts";
import {
  addImageToken,
  IMAGE_TOKEN,
  placeImageToken,
  removeImageToken,
  VIDEO_TOKEN,
  writeJson,
} from "./image-token.ts";
import { writeHuggingFaceProcessor, writeOriginalProcessor } from "./processor-files.ts";

export interface ConversionOptions {
  readonly to: WrittenLayout;
  /** Folder that must not hold anything yet. */
  readonly output: string;
  /** Element type of the weights; as stored without it. */
  readonly dtype?: DType | undefined;
  /** A file of weights grows no larger, but for a tensor that is larger alone. */
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
  { to, output, dtype, maxShardBytes }: ConversionOptions,
): ConversionReport {
  requireFreeFolder(output);
  if (origin === undefined)
    throw new LlavaError("usage", "a built-in model or an adapter has no layout to be converted", {
      hint: "Give a checkpoint's folder or hub name; llava train writes an adapter's model whole.",
    });
  const source: ConfigurationSource = { ...read(origin), ...stateOf(model, processor) };
  const from = isOriginalConfig(source.json) ? "original" : "hf";
  if (from !== to) refuseUnwritable(to, source);
  using stored = origin.open();
  const state = wholeState(model, stored);
  const partial = `${output}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    makeFolder(partial);
    copySmallFiles(origin, partial);
    const written = from === to ? sameLayout() : to === "hf" ? toHuggingFace() : toOriginal();
    const { dtype: _, ...fields } = written.fields;
    writeJson(join(partial, "config.json"), { ...fields, torch_dtype: dtype ?? typeOf(state) });
    writePromptFiles(partial, processor);
    const { write } = layouts[to === "original" ? originalLayout(written.fields) : "huggingFace"];
    const tensors = new Map(
      Array.from(written.state, ([name, tensor]) => [write(name) ?? name, plain(tensor, undefined)]),
    );
    const files = writeShards(partial, tensors, { maxBytes: maxShardBytes, dtype });
    const compared = compareWritten(partial, written.state, dtype);
    requireEqual(compared);
    writing(output, () => {
      rmSync(output, { recursive: true, force: true });
      renameSync(partial, output);
    });
    return {
      ...{ from, to, output, files },
      bytes: compared.reduce((sum, { bytes }) => sum + bytes, 0),
      largestDifference: compared.reduce((most, tensor) => Math.max(most, tensor.largestDifference), 0),
      tensors: compared,
      leftOut: {
        tensors: [...stored.names()].filter((name) => !written.state.has(name)),
        fields: written.leftOut,
      },
      notes: written.notes,
    };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }

  function sameLayout(): Written {
    const config = from === "original" ? withTowerInside(origin!, partial) : origin!.config;
    return { fields: withTying(config, model), state, leftOut: [], notes: [] };
  }

  function toHuggingFace(): Written {
    const { vocabSize } = source.config.text;
    const { id, rows, isNew } = placeImageToken(processor.tokenizer, vocabSize);
    if (isNew) addImageToken(partial, id);
    const { fields, leftOut, notes } = huggingFaceConfig(source, {
      ...{ imageTokenId: id, rows },
      videoTokenId: processor.tokenizer.tokenToId(VIDEO_TOKEN) ?? id + 1,
      towerLayers: towerLayersIn(state),
    });
    writeHuggingFaceProcessor(partial, processor.imageConfig, source.config, fields);
    const added =
      rows > vocabSize
        ? [
            `${rows - vocabSize} rows are added to the ${vocabSize} of the vocabulary, each the mean of these, for ${IMAGE_TOKEN} and up to a multiple of 64`,
          ]
        : isNew
          ? [`${IMAGE_TOKEN} is token ${id}, which has a row already`]
          : [];
    return { fields, leftOut, notes: [...notes, ...added], state: withRows(state, rows) };
  }

  function toOriginal(): Written {
    const { vocabSize } = source.config.text;
    const id = source.config.imageTokenId;
    const isAdded =
      id === processor.tokenizer.vocabSize - 1 &&
      processor.tokenizer.tokenToId(IMAGE_TOKEN) === id &&
      areAddedRows(state, id);
    const rows = isAdded ? id : vocabSize;
    if (isAdded) removeImageToken(partial, id);
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

/** config.json, plain, and what it says. */
function read({ config: verbatim, visionTower }: ModelOrigin): Pick<ConfigurationSource, "json" | "config"> {
  const json = JSON.parse(JSON.stringify(verbatim)) as JsonObject;
  const path = visionTower === undefined ? undefined : join(visionTower, "config.json");
  const tower =
    path !== undefined && existsSync(path) ? parseVisionConfig(readJsonObject(path), path) : undefined;
  return { json, config: parseLlavaConfig(json, "config.json", tower) };
}

const stateOf = (
  { languageModel }: PretrainedLlava["model"],
  { imageConfig }: PretrainedLlava["processor"],
): Pick<ConfigurationSource, "pad" | "tied"> => ({
  pad: imageConfig.aspect === "pad",
  tied: languageModel.config.tieWordEmbeddings,
});

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

function requireEqual(tensors: readonly ComparedTensor[]): void {
  const wrong = tensors.filter(({ isEqual }) => !isEqual).map(({ name }) => name);
  if (wrong.length === 0) return;
  throw new LlavaError(
    "checkpoint",
    `${wrong.length} tensors are not as they were when read back: ${wrong.slice(0, 8).join(", ")}`,
    { hint: "The disk may be damaged; convert again." },
  );
}
