import { ranksOfGroup } from "../../distributed/index.ts";
import { type Recipe, shardingOf } from "../recipe/recipe.ts";
import { computeBytes } from "./activations.ts";
import { adapterWeights, type ModelSizes } from "./sizes.ts";

/** What ranks keep a part of, as recipes say it. */
export type Sharding = ReturnType<typeof shardingOf>;

/** Sharded weights are given up behind each layer, which computes again what it needs of them. */
export const asComputed = (recipe: Recipe): Recipe =>
  shardingOf(recipe) === "weights" ? { ...recipe, activationCheckpointing: true } : recipe;

/**
 * Parts that a rank's state is one of: as many as ranks share them.
 * @throws LlavaError "config" where the recipe's groups do not share the ranks evenly
 */
export const shardsOf = (recipe: Recipe, ranks: number, perMachine: number): number =>
  shardingOf(recipe) === "none" || ranks === 1
    ? 1
    : ranksOfGroup(recipe.shardingGroup, ranks, () => perMachine);

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

/**
 * Whole weights that a rank has beside its parts while a micro-batch passes; what is in no layer is gathered in float32. Where a
 * part is all there is, what is computed with as it is kept has no copy.
 */
export function gatheredBytes(sizes: ModelSizes, recipe: Recipe, shards: number): number {
  const { layerMatrices, parameters, text, tower } = sizes;
  const bytes = computeBytes(recipe);
  const trained = trainedParameters(sizes, recipe);
  const learns = trained.languageModel > 0;
  const areWeights = shardingOf(recipe) === "weights";
  const rest = parameters.languageModel - layerMatrices;
  const towerAtOnce = areWeights ? Math.min(1, UNITS_AT_ONCE * tower.layerShare) : 1;
  const roots = trained.projector + towerAtOnce * trained.visionTower + (learns ? rest : 0);
  // What computes with those in another type.
  const narrow = bytes === 4 ? 0 : bytes;
  const towerShare = recipe.activationCheckpointing ? tower.layerShare : 1;
  const head = learns ? text.vocabSize * text.hiddenSize : 0;
  const copies = narrow * (head + trained.projector + towerShare * trained.visionTower);
  const widened = recipe.frozenWeights === "int8" ? (bytes * layerMatrices) / text.numLayers : 0;
  const atOnce = areWeights ? Math.min(1, UNITS_AT_ONCE / text.numLayers) : 1;
  if (shards === 1) return copies + widened + (learns ? atOnce * narrow * layerMatrices : 0);
  const frozen = learns ? 0 : areWeights ? layerMatrices * (recipe.frozenWeights === "int8" ? 1 : bytes) : 0;
  const layers = frozen + 4 * trained.adapters + (learns ? bytes * layerMatrices : 0);
  return 4 * roots + copies + atOnce * layers + widened + (areWeights && !learns ? bytes * rest : 0);
}

/** Gradients on their way to the parts that they belong to: as computed, in float32, laid end to end, and those before them. */
export function reducedBytes(sizes: ModelSizes, recipe: Recipe, shards: number): number {
  const { layerMatrices, parameters, text, tower } = sizes;
  const trained = trainedParameters(sizes, recipe);
  const learning = trained.adapters + (trained.languageModel > 0 ? layerMatrices : 0);
  const layer = learning / text.numLayers;
  const rest = trained.projector + (trained.languageModel > 0 ? parameters.languageModel - layerMatrices : 0);
  // Gloo adds up and scatters in a copy of what it is given.
  const reduced = recipe.device.startsWith("cpu") && shards > 1 ? 8 : 4;
  const perWeight = 4 + 2 * (reduced + (shards > 1 ? 4 / shards : 0));
  const inLayers = layer * (computeBytes(recipe) + perWeight);
  const inTower = tower.layerShare * trained.visionTower * (4 + perWeight);
  return Math.max(4 * rest + Math.max(inLayers, inTower), (4 + reduced) * rest);
}
