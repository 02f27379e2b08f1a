import { referenceOf } from "../recipe/objective-schema.ts";
import { type Recipe, shardingOf } from "../recipe/recipe.ts";
import { computeBytes } from "./activations.ts";
import { type Cluster, exchangeBetween, groupOf, perMachine, type Transfer, transfer } from "./cluster.ts";
import type { RowLengths } from "./micro-batch.ts";
import { asComputed, shardsOf } from "./sharding.ts";
import { adapterWeights, type ModelSizes } from "./sizes.ts";

/** What is taken for granted of a machine that nobody has measured. */
interface StepAssumptions {
  /** Part of a GPU's peak that matrix products of a layer reach; 0.5. */
  readonly efficiency?: number | undefined;
  /** Whether transfers go on beside computation; they do. */
  readonly overlap?: boolean | undefined;
  /** Bytes in which a gradient is added up over ranks; 4. */
  readonly reducedBytes?: number | undefined;
}

export interface StepOptions extends StepAssumptions {
  readonly rows: RowLengths;
}

type Resource = "compute" | "links within machines" | "network";

/** How long a step takes on a cluster, and why. Seconds are those of the rank with the most rows. */
export interface StepPlan {
  readonly seconds: number;
  /** Seconds that each is at work in; they go on beside each other. */
  readonly busy: Readonly<Record<Resource, number>>;
  /** The one that is at work longest. */
  readonly binds: Resource;
  /** Seconds that nothing is computed in while a transfer ends. */
  readonly waits: number;
  /** Model FLOP/s utilisation: what a step must compute, without computing anything twice, by what all GPUs could in its time. */
  readonly utilisation: number;
  /** Of a rank. */
  readonly microBatches: number;
  readonly tokensPerMicroBatch: number;
  readonly efficiency: number;
}

/** Parameters that are gathered and reduced together, on the way through a model, and what computing with them takes. */
interface Unit {
  readonly count: number;
  /** Bytes gathered before it computes. */
  readonly gathered: number;
  /** Whether it is gathered though weights are not sharded, since its masters are. */
  readonly learns: boolean;
  /** Bytes of its gradient. */
  readonly reduced: number;
  /** Operations of a micro-batch, and those that are computed again. */
  readonly forward: number;
  readonly backward: number;
  readonly again: number;
}

/** What else a step does: launching, drawing rows, guarding. */
const OVERHEAD = 1.03;
/** AdamW reads a gradient, and reads and writes a weight and two moments. */
const UPDATE_BYTES = 28;

/** Predicts a step of a recipe on a cluster: a pure function. */
export function planStep(
  sizes: ModelSizes,
  given: Recipe,
  cluster: Cluster,
  { rows, efficiency = 0.5, overlap = true, reducedBytes = 4 }: StepOptions,
): StepPlan {
  const { gpu, gpus } = cluster;
  const recipe = asComputed(given);
  const sharding = shardingOf(recipe);
  const shards = shardsOf(recipe, gpus, perMachine(cluster));
  const group = groupOf(cluster, shards);
  const rowsPerRank = Math.ceil(recipe.batchSize / gpus);
  const microBatches = Math.min(recipe.accumulation, rowsPerRank);
  const share = rowsPerRank / microBatches;
  const units = unitsOf(sizes, recipe, rows, share, reducedBytes);
  const rate = efficiency * gpu.peak;
  const busy = { compute: 0, "links within machines": 0, network: 0 };
  let seconds = 0;
  let waits = 0;
  const pass = (operations: number, transfers: readonly Transfer[], count = 1): void => {
    const computing = operations / rate;
    const moving = sum(transfers.map((each) => each.seconds));
    busy.compute += count * computing;
    busy["links within machines"] += count * sum(transfers.map(({ link }) => link));
    busy.network += count * sum(transfers.map(({ network }) => network));
    const waiting = overlap ? Math.max(0, moving - computing) : moving;
    waits += count * waiting;
    seconds += count * (computing + waiting);
  };
  const gather = (unit: Unit): Transfer => transfer(group, unit.gathered);
  const reduce = (unit: Unit): Transfer => transfer(group, unit.reduced);
  for (let i = 0; i < microBatches; i++) {
    const gathers = (unit: Unit): Transfer[] =>
      sharding === "weights" || (sharding === "states" && unit.learns && i === 0) ? [gather(unit)] : [];
    for (const unit of units) pass(unit.forward, gathers(unit), unit.count);
    for (const unit of units)
      pass(
        unit.backward + unit.again,
        [...(sharding === "weights" ? gathers(unit) : []), ...(sharding === "none" ? [] : [reduce(unit)])],
        unit.count,
      );
    // Nothing is there to compute while the first weights come and the last gradients go.
    pass(0, [...gathers(units[0]!), ...(sharding === "none" ? [] : [reduce(units[0]!)])]);
  }
  const learning = sum(units.map(({ count, reduced }) => count * reduced)); // bytes
  pass(0, [
    sharding === "none" ? transfer(cluster, 2 * learning) : exchangeBetween(cluster, learning, shards),
  ]);
  const update = ((learning / reducedBytes) * UPDATE_BYTES) / shards / gpu.bandwidth;
  seconds = OVERHEAD * (seconds + update);
  busy.compute = OVERHEAD * (busy.compute + update);
  const resources = Object.keys(busy) as Resource[];
  const useful = sum(units.map(({ count, forward, backward }) => count * (forward + backward)));
  const tokens = share * tokensOfRow(sizes, recipe, rows);
  return {
    seconds,
    busy,
    binds: resources.reduce((most, each) => (busy[each] > busy[most] ? each : most)),
    waits,
    utilisation: (useful * microBatches * (recipe.batchSize / rowsPerRank)) / (seconds * gpus * gpu.peak),
    microBatches,
    tokensPerMicroBatch: tokens,
    efficiency,
  };
}

/** Tokens that the language model computes with. */
function tokensOfRow({ imageTokens }: ModelSizes, { data }: Recipe, { images, text }: RowLengths): number {
  return (images * imageTokens) / data.rowsPerImage + text - 1;
}

function unitsOf(
  sizes: ModelSizes,
  recipe: Recipe,
  rows: RowLengths,
  share: number,
  reducedBytes: number,
): Unit[] {
  const { text, parameters, layerMatrices, tower, tiles, tileRows } = sizes;
  const { train, lora, frozenWeights, activationCheckpointing, features, data } = recipe;
  const bytes = computeBytes(recipe);
  const tokens = share * tokensOfRow(sizes, recipe, rows);
  const images = (share * rows.images) / data.rowsPerImage;
  const learns = (part: (typeof train)[number]): boolean => train.includes(part);
  const width = text.numHeads * text.headDim;
  const sample = tokens / share;
  const layer = layerMatrices / text.numLayers;
  const adapters = lora ? adapterWeights(sizes, lora) / text.numLayers : 0;
  // Of the matrices, and of the half of the keys that a causal query sees.
  const forward = 2 * tokens * (layer + adapters + sample * width);
  const reference = ["copy", "adaptersOff"].includes(referenceOf(recipe) ?? "") ? 2 * tokens * layer : 0;
  // Gradients go through all layers to what learns before them; those of matrices are as much again.
  const through = learns("languageModel") ? 2 * forward : forward + 2 * tokens * adapters;
  const again = activationCheckpointing ? forward : 0;
  const rest = parameters.languageModel - layerMatrices;
  const head = 2 * share * rows.supervised * text.vocabSize * text.hiddenSize;
  const projected = 2 * images * tiles * tileRows * parameters.projector;
  const seen = learns("visionTower") || features.cache === "" ? images * tiles * tower.operations : 0;
  const whole = (part: (typeof train)[number], count: number): number =>
    learns(part) ? reducedBytes * count : 0;
  return [
    {
      count: 1,
      gathered: learns("visionTower") ? 4 * parameters.visionTower : 0,
      learns: learns("visionTower"),
      reduced: whole("visionTower", parameters.visionTower),
      forward: seen,
      backward: learns("visionTower") ? 2 * seen : 0,
      again: learns("visionTower") && activationCheckpointing ? seen : 0,
    },
    {
      count: text.numLayers,
      gathered: (frozenWeights === "int8" && !learns("languageModel") ? 1 : bytes) * layer + 4 * adapters,
      learns: learns("languageModel"),
      reduced: whole("languageModel", layer) + reducedBytes * adapters,
      forward,
      backward: through,
      again: again + reference,
    },
    {
      // Embeddings, head and projector: what learns of them is gathered in float32.
      count: 1,
      gathered:
        (learns("languageModel") ? 4 : bytes) * rest + (learns("projector") ? 4 * parameters.projector : 0),
      learns: true,
      reduced: whole("languageModel", rest) + whole("projector", parameters.projector),
      forward: head + projected,
      backward: (learns("languageModel") ? 2 : 1) * head + 2 * projected,
      again: 0,
    },
  ];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
