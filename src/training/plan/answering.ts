import { contextLengthOf } from "../../models/index.ts";
import { bytesInBlocks } from "../../pretrained/index.ts";
import type { KeptWeights } from "../../setup/index.ts";
import { PROCESS_BYTES } from "./plan-memory.ts";
import { layersInBlocks, type ModelSizes } from "./sizes.ts";

/** Memory that a model takes to answer one prompt of as many tokens as it can hold, on the CPU, in bytes. */
export interface AnsweringMemory {
  readonly weights: KeptWeights;
  readonly weightBytes: number;
  /** Keys and values of `contextLength` positions. */
  readonly cacheBytes: number;
  readonly contextLength: number;
  /** A photo's feature rows, and what lies between the tower's layers while it passes. */
  readonly imageBytes: number;
  readonly total: number;
}

export interface AnsweringOptions {
  /** Of all weights as they lie in their files; two bytes a weight without it. */
  readonly storedBytes?: number;
  /** Of an element of activations, and of weights that are in no blocks; 2. */
  readonly elementBytes?: number;
}

/** How much memory answers take in each form that weights can be kept in: a pure function of a model's sizes. */
export function answeringMemory(
  sizes: ModelSizes,
  { storedBytes, elementBytes = 2 }: AnsweringOptions = {},
): AnsweringMemory[] {
  const { text, tower, tiles, imageTokens, parameters, layerMatrices } = sizes;
  const contextLength = contextLengthOf(text);
  const count = parameters.visionTower + parameters.projector + parameters.languageModel;
  const scores = [text.vocabSize, text.hiddenSize] as const;
  const inBlocks = (weights: "int8" | "int4"): number =>
    layersInBlocks(sizes, weights, elementBytes) +
    bytesInBlocks(scores, weights, { isOutput: true, otherwise: elementBytes }) +
    elementBytes * (count - layerMatrices - scores[0] * scores[1]);
  // A tower that is always precise is in no fewer bytes.
  const isPrecise = tower.isPrecise && elementBytes < 4;
  const added = isPrecise ? 2 * parameters.visionTower : 0;
  const weightBytes: Readonly<Record<KeptWeights, number>> = {
    stored: storedBytes ?? 2 * count,
    bf16: 2 * count + added,
    int8: inBlocks("int8"),
    int4: inBlocks("int4"),
  };
  const cacheBytes = 2 * text.numLayers * text.numKeyValueHeads * text.headDim * contextLength * elementBytes;
  const towerBytes = tower.isPrecise ? 4 : elementBytes;
  const imageBytes =
    imageTokens * text.hiddenSize * elementBytes + tiles * towerBytes * (tower.perLayer + tower.between);
  return (["stored", "bf16", "int8", "int4"] as const).map((weights) => ({
    weights,
    weightBytes: weightBytes[weights],
    cacheBytes,
    contextLength,
    imageBytes,
    total: weightBytes[weights] + cacheBytes + imageBytes + PROCESS_BYTES,
  }));
}
