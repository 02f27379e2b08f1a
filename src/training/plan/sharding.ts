import { LlavaError } from "../../errors.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { computeBytes } from "./activations.ts";
import { adapterWeights, type ModelSizes } from "./sizes.ts";

/**
 * What ranks keep of a model's training: "none": each all of it; "states": a part of the moments, gradients and float32
 * masters of what learns (ZeRO-2, arXiv 1910.02054); "weights": a part of all weights too, gathered around each layer (ZeRO-3).
 */
export const shardings = ["none", "states", "weights"] as const;
export type Sharding = (typeof shardings)[number];

/** @throws LlavaError "usage" */
export function shardingNamed(name: string): Sharding {
  const found = shardings.find((each) => each === name);
  if (found) return found;
  throw new LlavaError("usage", `a sharding of "${name}"`, { hint: `Known are ${shardings.join(", ")}.` });
}

/** Parts that a rank's state is one of. */
export const shardsOf = (sharding: Sharding, ranks: number, shardedOver = ranks): number =>
  sharding === "none" ? 1 : shardedOver;

/** Weights of each part that learn. */
export function trainedParameters(sizes: ModelSizes, { train, lora }: Recipe) {
  const { parameters } = sizes;
  const whole = (part: keyof typeof parameters): number => (train.includes(part) ? parameters[part] : 0);
  return {
    visionTower: whole("visionTower"),
    projector: whole("projector"),
    languageModel: whole("languageModel"),
    adapters: lora ? adapterWeights(sizes, lora) : 0,
  };
}

/** Units whose weights are there at once: the one that computes, the one before it, and the one that is on its way. */
const UNITS_AT_ONCE = 3;

/** Whole weights that a rank has beside its parts while a micro-batch passes; what is in no layer is gathered in float32. */
export function gatheredBytes(sizes: ModelSizes, recipe: Recipe, sharding: Sharding): number {
  const { layerMatrices, parameters, text } = sizes;
  const bytes = computeBytes(recipe);
  const trained = trainedParameters(sizes, recipe);
  const learns = trained.languageModel > 0;
  const int8 = recipe.frozenWeights === "int8";
  const rest = parameters.languageModel - layerMatrices;
  const head = bytes === 4 ? 0 : bytes * text.vocabSize * text.hiddenSize; // the output matrix, as it is computed with
  const learning = 4 * trained.projector + bytes * trained.visionTower + (learns ? 4 * rest + head : 0);
  const atOnce = UNITS_AT_ONCE / text.numLayers;
  const widened = int8 ? (bytes * layerMatrices) / text.numLayers : 0;
  if (sharding === "states")
    return learning + bytes * ((learns ? layerMatrices : 0) + trained.adapters) + widened;
  const frozen =
    (learns ? 0 : bytes * rest) +
    (trained.projector > 0 ? 0 : 4 * parameters.projector) +
    (trained.visionTower > 0 ? 0 : bytes * parameters.visionTower);
  const layers = (int8 ? 1 : bytes) * layerMatrices + bytes * trained.adapters;
  return learning + frozen + atOnce * layers + widened;
}

/** Gradients on their way to the parts that they belong to: as computed, in float32, laid end to end, and those before them. */
export function reducedBytes(sizes: ModelSizes, recipe: Recipe, shards: number): number {
  const { layerMatrices, parameters, text } = sizes;
  const trained = trainedParameters(sizes, recipe);
  const learning = trained.adapters + (trained.languageModel > 0 ? layerMatrices : 0);
  const layer = learning / text.numLayers;
  const rest = trained.projector + (trained.languageModel > 0 ? parameters.languageModel - layerMatrices : 0);
  const inLayers = layer * (computeBytes(recipe) + 4 + 2 * (4 + 4 / shards));
  return Math.max(4 * rest + inLayers, 8 * Math.max(rest, trained.visionTower));
}
