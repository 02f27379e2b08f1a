import { objectiveOf, type Recipe, shardingOf } from "../recipe/recipe.ts";
import { type PlanOptions, planMemory } from "./plan-memory.ts";
import type { ModelSizes } from "./sizes.ts";

/** A change of a recipe and the memory that it leads to, with all changes before it. */
export interface Change {
  /** As it is typed on the command line. */
  readonly fields: string;
  readonly why: string;
  readonly total: number;
}

/**
 * What makes a recipe fit into `memory` bytes, the least harmful first, as far as is needed: first what changes no result,
 * then adapters in place of the whole language model, then 8 bits and 4. Where nothing helps the last total is above `memory`.
 */
export function advise(
  sizes: ModelSizes,
  recipe: Recipe,
  memory: number,
  options: PlanOptions = {},
): Change[] {
  const changes: Change[] = [];
  let current = recipe;
  const total = (candidate: Recipe): number => planMemory(sizes, candidate, options).total;
  const fits = (): boolean => total(current) <= memory;
  const take = (changed: Partial<Recipe>, fields: string, why: string): void => {
    const next = { ...current, ...changed };
    if (total(next) >= total(current)) return;
    current = next;
    changes.push({ fields, why, total: total(next) });
  };
  const { devices = 1 } = options;
  const shard = (sharding: "states" | "weights", why: string): void => {
    if (devices > 1 && shardingOf(current) !== "weights" && objectiveOf(recipe).type === "supervised")
      take({ sharding }, `--sharding ${sharding}`, why);
  };
  const rows = recipe.batchSize / devices;
  const smaller = (): void => {
    let { accumulation } = current;
    while (accumulation * 2 <= rows && total({ ...current, accumulation }) > memory) accumulation *= 2;
    take({ accumulation }, `--accumulation ${accumulation}`, "smaller micro-batches, the same result");
  };
  const recompute = (): void =>
    take(
      { activationCheckpointing: true },
      "--activationCheckpointing true",
      "layers computed twice, the same result, about a third slower",
    );
  const lora = { rank: 128, alpha: 256, dropout: 0.05, targets: [...sizes.linears.keys()] };
  const steps = [
    () => shard("states", `each device keeps a part of ${devices} of what the optimizer needs`),
    smaller,
    recompute,
    () =>
      shard(
        "weights",
        "each device keeps a part of all weights too, and fetches a layer's when it needs them",
      ),
    () => {
      if (!current.train.includes("languageModel")) return;
      const train = current.train.filter((part) => part !== "languageModel");
      take(
        { train, lora },
        "--train projector with lora { rank: 128, alpha: 256 }",
        "adapters learn in its place",
      );
    },
    () => {
      if (!current.train.includes("languageModel"))
        take({ frozenWeights: "int8" }, "--frozenWeights int8", "frozen layers in 8 bits");
    },
    () => {
      if (current.frozenWeights === "int8" && current.device.startsWith("cpu"))
        take({ frozenWeights: "int4" }, "--frozenWeights int4", "frozen layers in 4 bits");
    },
    smaller,
  ];
  for (const step of steps) if (!fits()) step();
  return changes;
}
