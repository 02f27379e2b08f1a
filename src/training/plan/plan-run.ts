import { type Recipe, shardingOf } from "../recipe/recipe.ts";
import { computeBytes } from "./activations.ts";
import { type Cluster, groupOf, perMachine, transfer } from "./cluster.ts";
import { fastestShape } from "./fastest.ts";
import { planMemory } from "./plan-memory.ts";
import { shardsOf } from "./sharding.ts";
import type { ModelSizes } from "./sizes.ts";
import { planStep, type StepOptions, type StepPlan } from "./step-time.ts";

/** Part of a step's time that transfers may leave computation waiting before it is worth a word. */
const TOLERATED = 0.1;

/** How long a recipe takes on a cluster, and what to mind. */
export interface RunPlan {
  readonly cluster: Cluster;
  readonly step: StepPlan;
  /** Rows of the data, over all epochs, and what they take; where it is known. */
  readonly run?: { readonly rows: number; readonly steps: number; readonly hours: number };
  readonly warnings: readonly string[];
  /** The fastest way of running it that fits into the GPUs' memory: where the recipe's own is another, or does not fit. */
  readonly fastest?: { readonly fields: string; readonly seconds: number; readonly total: number };
}

/** `dataRows`: how many the data has; `memory`: of each GPU, its kind's when left out. */
export function planRun(
  sizes: ModelSizes,
  recipe: Recipe,
  cluster: Cluster,
  given: StepOptions & { readonly dataRows?: number | undefined; readonly memory?: number | undefined },
): RunPlan {
  const { dataRows, memory = cluster.gpu.memory, ...options } = given;
  const step = planStep(sizes, recipe, cluster, options);
  const rows = dataRows === undefined ? undefined : Math.ceil(dataRows * recipe.epochs);
  const steps = recipe.maxSteps ?? (rows === undefined ? undefined : Math.ceil(rows / recipe.batchSize));
  const shape = fastestShape(sizes, recipe, cluster, { ...options, memory });
  const { total } = planMemory(sizes, recipe, {
    rows: options.rows,
    devices: cluster.gpus,
    perMachine: perMachine(cluster),
  });
  const isOther = shape !== undefined && (shape.step.seconds < step.seconds || total > memory);
  return {
    cluster,
    step,
    ...(steps !== undefined && {
      run: { rows: rows ?? steps * recipe.batchSize, steps, hours: (steps * step.seconds) / 3600 },
    }),
    warnings: stepWarnings(sizes, recipe, cluster, options, step),
    ...(isOther && {
      fastest: { fields: shape.fields, seconds: shape.step.seconds, total: shape.plan.total },
    }),
  };
}

/** What makes a step slow on a cluster or wastes it, and what to do, a sentence or two each. */
function stepWarnings(
  sizes: ModelSizes,
  recipe: Recipe,
  cluster: Cluster,
  options: StepOptions,
  step: StepPlan,
): string[] {
  const { gpus, nodes, gpu } = cluster;
  const { efficiency = 0.5 } = options;
  const sharding = shardingOf(recipe);
  const { accumulation, batchSize } = recipe;
  const warnings: string[] = [];
  const waits = step.waits > TOLERATED * step.seconds;
  const group = groupOf(cluster, shardsOf(recipe, gpus, perMachine(cluster)));
  const acrossNodes = sharding === "weights" && group.nodes > 1;
  const bytes = computeBytes(recipe);
  if (acrossNodes && step.microBatches > 1 && waits && step.binds === "network") {
    const moved = (2 * bytes * sizes.parameters.languageModel * (group.nodes - 1)) / group.nodes;
    warnings.push(
      `sharded weights cross the network in each of ${step.microBatches} micro-batches: ${gigabytes(moved)} into each machine, ` +
        `${(moved / cluster.network).toFixed(1)} s at ${gigabytes(cluster.network)} a second. Shard states instead, or weights within ` +
        "a machine (--shardingGroup machine), or let one micro-batch take more rows",
    );
  }
  if (sharding === "weights" && waits) {
    const perLayer = transfer(group, (bytes * sizes.layerMatrices) / sizes.text.numLayers);
    const hidden =
      (perLayer.seconds * efficiency * gpu.peak * sizes.text.numLayers) / (2 * sizes.layerMatrices);
    if (step.tokensPerMicroBatch < hidden)
      warnings.push(
        `${Math.round(step.tokensPerMicroBatch)} tokens in a micro-batch of a GPU are computed faster than a layer's weights come; ` +
          `they would come unnoticed from about ${Math.ceil(hidden / 100) * 100} tokens on`,
      );
  }
  if (batchSize < gpus)
    warnings.push(`a step of ${batchSize} rows leaves ${gpus - batchSize} of ${gpus} GPUs without one`);
  else if (batchSize % gpus !== 0)
    warnings.push(
      `${batchSize} rows are not shared evenly by ${gpus} GPUs: all wait for those with ${Math.ceil(batchSize / gpus)}`,
    );
  if (accumulation > 1 && sharding === "states" && group.nodes > 1 && waits && step.binds === "network")
    warnings.push(
      `gradients are added up over the network in each of ${step.microBatches} micro-batches: let one micro-batch take more rows, or ` +
        "shard within a machine (--shardingGroup machine)",
    );
  if (nodes > 1) {
    const one = { ...cluster, nodes: 1, gpus: perMachine(cluster) };
    const alone = planStep(sizes, { ...recipe, shardingGroup: undefined }, one, options);
    if (alone.seconds < step.seconds)
      warnings.push(
        `one machine of these would take ${alone.seconds.toFixed(1)} s for the step that ${nodes} take ${step.seconds.toFixed(1)} s for`,
      );
  }
  return warnings;
}

const gigabytes = (value: number): string => `${(value / 1e9).toFixed(1)} GB`;
