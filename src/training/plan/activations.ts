import { TILES_AT_ONCE } from "../../models/index.ts";
import { shortRow } from "../../nn/index.ts";
import { byteWidth } from "../../torch/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { computing, placement } from "../stage/placement.ts";
import type { MicroBatch } from "./micro-batch.ts";
import type { ModelSizes } from "./sizes.ts";

/** Bytes of an element of activations. */
export const computeBytes = (recipe: Recipe): number => (computing(recipe).dtype === "bfloat16" ? 2 : 4);

const onCpu = ({ device }: Recipe): boolean => device.startsWith("cpu");

/** A matrix saves its input for backward where it, or an adapter beside it, learns. */
const savesInput = ({ train, lora }: Recipe, name: string): boolean =>
  train.includes("languageModel") || (lora?.targets.includes(name) ?? false);

/** Keys of each query whose scores are kept, by the plain products of short rows or samples; 0 where a kernel computes them again. */
function keptKeys(recipe: Recipe, { rowWidth, longest }: MicroBatch): number {
  if (!onCpu(recipe)) return 0;
  return [rowWidth, longest].find((width) => width <= shortRow) ?? 0;
}

/**
 * Bytes that the backward pass of one decoder layer needs of its forward pass, counted operator by operator: what
 * autograd saves, each tensor once.
 */
function layerActivations(sizes: ModelSizes, recipe: Recipe, batch: MicroBatch): number {
  const { hiddenSize, intermediateSize, numHeads, numKeyValueHeads, headDim } = sizes.text;
  const { tokens } = batch;
  const bytes = computeBytes(recipe);
  const learns = recipe.train.includes("languageModel");
  const adapts = (name: string): boolean => savesInput(recipe, name);
  const query = numHeads * headDim;
  const keyValue = numKeyValueHeads * headDim;

  // RMS norm: on the CPU its steps in float32, on a GPU one kernel that keeps its input.
  const input = onCpu(recipe) ? 4 * hiddenSize : bytes * hiddenSize + 4;
  const scaled = learns && onCpu(recipe) ? 4 * hiddenSize : 0;
  const norms = 2 * (input + scaled);
  const intoAttention = ["q_proj", "k_proj", "v_proj"].some(adapts) ? bytes * hiddenSize : 0;
  const intoMlp = ["gate_proj", "up_proj"].some(adapts) ? bytes * hiddenSize : 0;
  const intoOutput = adapts("o_proj") ? bytes * query : 0;
  const intoDown = adapts("down_proj") ? bytes * intermediateSize : 0;
  const keys = keptKeys(recipe, batch);
  // Scores in float32 and as weights of the values, and who sees whom; long samples keep a sum for each row instead.
  const scores =
    keys > 0 ? keys * (numHeads * (4 + (bytes === 4 ? 0 : bytes)) + 1) : bytes * query + 4 * numHeads;
  const attention = bytes * (query + 2 * keyValue) + scores;
  const gated = 3 * bytes * intermediateSize; // gate, its activation, up
  const perToken = norms + intoAttention + attention + intoOutput + intoMlp + gated + intoDown;
  return tokens * (perToken + adapterActivations(sizes, recipe));
}

/**
 * Of each adapter its narrow product, before and after scaling; with dropout, what is left of its input, and the mask; of a
 * decomposed one both products, whose rows it scales.
 */
function adapterActivations({ linears }: ModelSizes, recipe: Recipe): number {
  const { lora } = recipe;
  if (!lora) return 0;
  const bytes = computeBytes(recipe);
  return lora.targets.reduce((sum, name) => {
    const [out, width] = linears.get(name) ?? [0, 0];
    const products = lora.decomposed ? 2 * out : 0;
    return sum + bytes * (2 * lora.rank + products + (lora.dropout > 0 ? 2 * width : 0));
  }, 0);
}

/** Of all layers; with activation checkpointing one layer, computed again, and the inputs of the others. */
export function modelActivations(sizes: ModelSizes, recipe: Recipe, batch: MicroBatch): number {
  const { numLayers, hiddenSize } = sizes.text;
  const layer = layerActivations(sizes, recipe, batch);
  const between = batch.tokens * hiddenSize * computeBytes(recipe);
  // Embeddings, the image features among them, and the last norm.
  const ends = batch.tokens * hiddenSize * (3 * computeBytes(recipe) + 8);
  return ends + (recipe.activationCheckpointing ? layer + numLayers * between : numLayers * layer);
}

/** Results on the way through a layer that backward does not need; they live until the layer is done. */
export function layerBuffers(sizes: ModelSizes, recipe: Recipe, batch: MicroBatch): number {
  const { hiddenSize, intermediateSize, numHeads, numKeyValueHeads, headDim } = sizes.text;
  const { tokens } = batch;
  const bytes = computeBytes(recipe);
  const query = numHeads * headDim;
  const keyValue = numKeyValueHeads * headDim;
  const saves = (name: string): boolean => savesInput(recipe, name);

  // Before rotation, times cosine, turned (one half negated, joined), times sine; the attended values, joined.
  const rotation = 4.5 * (query + keyValue) + 2 * query;
  const norms = (saves("q_proj") ? 0 : hiddenSize) + (saves("gate_proj") ? 0 : hiddenSize);
  const sums = 4 * hiddenSize; // what attention and the MLP give, and what they are added up to
  const product = saves("down_proj") ? 0 : intermediateSize;
  // What an adapter gives, and what it is added to.
  const adapted = (recipe.lora?.targets ?? []).reduce(
    (sum, name) => sum + 2 * (sizes.linears.get(name)?.[0] ?? 0),
    0,
  );
  // Products of queries and keys, in float32, and masked.
  const scores = keptKeys(recipe, batch) * numHeads * (bytes === 4 ? 8 : bytes + 8);
  return tokens * (bytes * (rotation + norms + sums + product + adapted) + scores);
}

/**
 * Scores over the vocabulary: as computed, in float32, their logarithmic softmax; then the gradients of the softmax and of
 * what it was taken of.
 */
export function logits({ text }: ModelSizes, recipe: Recipe, { supervised }: MicroBatch): number {
  const bytes = computeBytes(recipe);
  const forward = bytes === 4 ? 8 : bytes + 8;
  return supervised * text.vocabSize * (forward + 8);
}

/** Inputs of the projector's layers, in float32 features before. */
export function projectorActivations(
  { projectorWidths, tiles, tileRows, video }: ModelSizes,
  recipe: Recipe,
  batch: MicroBatch,
) {
  const [input = 0, ...others] = projectorWidths;
  const bytes = computeBytes(recipe);
  const ofFrames = video.pooledBefore ? video.tokens(batch.frames) : batch.frames * tileRows;
  const rows = batch.images * tiles * tileRows + (batch.frames > 0 ? ofFrames : 0);
  return rows * (input * (8 + bytes) + sum(others) * 2 * bytes);
}

/** What the tower needs while images pass, and the features that a micro-batch waits for. */
export function towerBytes(
  { tower, tiles, tileRows, projectorWidths }: ModelSizes,
  recipe: Recipe,
  batch: MicroBatch,
) {
  const { computed, learns } = placement(recipe, "visionTower", tower);
  const bytes = byteWidth[computed];
  const seen = batch.images * tiles + batch.frames;
  const { batchSize, tilesAtOnce = TILES_AT_ONCE } = recipe.features;
  const images = Math.min(learns ? tilesAtOnce : batchSize, seen);
  // A cache is built before the first step, so many images at once.
  const atOnce = recipe.features.cache === "" ? images : batchSize;
  const passing = atOnce * bytes * (tower.perLayer + tower.between);
  // Computed again, a layer's are there of the tiles that go through it at once.
  const saved = recipe.activationCheckpointing
    ? images * (tower.recomputed - tower.between) + seen * tower.between
    : seen * tower.saved;
  const kept = learns ? bytes * saved : seen * 4 * tileRows * (projectorWidths[0] ?? 0);
  return { passing, kept, images: atOnce };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
