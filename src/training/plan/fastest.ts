import { objectiveOf, type Recipe } from "../recipe/recipe.ts";
import { type Cluster, perMachine } from "./cluster.ts";
import { type MemoryPlan, planMemory } from "./plan-memory.ts";
import type { ModelSizes } from "./sizes.ts";
import { planStep, type StepOptions, type StepPlan } from "./step-time.ts";

/** How a recipe is run: it changes memory and time, not what is learned. */
export interface RunShape {
  readonly recipe: Recipe;
  /** As it is typed on the command line. */
  readonly fields: string;
  readonly step: StepPlan;
  readonly plan: MemoryPlan;
}

/**
 * The fastest way of running a recipe that fits into `memory` bytes of each GPU: what is sharded, how many micro-batches, and
 * whether activations are computed again. undefined where none does.
 */
export function fastestShape(
  sizes: ModelSizes,
  recipe: Recipe,
  cluster: Cluster,
  options: StepOptions & { readonly memory: number },
): RunShape | undefined {
  const { memory, rows } = options;
  const shardings =
    objectiveOf(recipe).type === "supervised"
      ? (["none", "states", "weights"] as const)
      : (["none"] as const);
  const rowsPerGpu = Math.ceil(recipe.batchSize / cluster.gpus);
  const halvings = Array.from({ length: Math.floor(Math.log2(rowsPerGpu)) + 1 }, (_, i) => 2 ** i);
  const shapes = shardings.flatMap((sharding) =>
    [false, true].flatMap((activationCheckpointing) =>
      groupsOf(sharding, recipe, cluster).flatMap((shardingGroup) =>
        halvings.map((accumulation) => ({
          ...{ sharding, activationCheckpointing, accumulation },
          ...(shardingGroup && { shardingGroup }),
        })),
      ),
    ),
  );
  const fitting = shapes
    .map((shape): RunShape => {
      const candidate = { ...recipe, ...shape };
      return {
        recipe: candidate,
        fields: Object.entries(shape)
          .map(([name, value]) => `--${name} ${value}`)
          .join(" "),
        step: planStep(sizes, candidate, cluster, options),
        plan: planMemory(sizes, candidate, { rows, devices: cluster.gpus, perMachine: perMachine(cluster) }),
      };
    })
    .filter(({ plan }) => plan.total <= memory);
  // Of equally fast ones the first, which shares least.
  return fitting.reduce<RunShape | undefined>(
    (best, shape) => (best && best.step.seconds <= shape.step.seconds ? best : shape),
    undefined,
  );
}

/** All ranks in one group, or those of each machine; as the recipe says, where it does. */
const groupsOf = (sharding: Recipe["sharding"], { shardingGroup }: Recipe, { nodes }: Cluster) =>
  sharding !== "none" && shardingGroup === undefined && nodes > 1
    ? ([undefined, "machine"] as const)
    : [undefined];
