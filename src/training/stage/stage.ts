import { alone, divide, type RankGroups } from "../../distributed/index.ts";
import type { ParameterGroup } from "../../optim/index.ts";
import { type PretrainedLlava, transparencyField } from "../../pretrained/index.ts";
import { cudaDevices, Generator, useDevice } from "../../torch/index.ts";
import type { RowBatch } from "../batches/row-batch.ts";
import { type Batch, type PreparedObjective, prepareObjective } from "../objectives/index.ts";
import { type Recipe, shardingOf } from "../recipe/recipe.ts";
import { ShardedWeights } from "../sharding/sharded-weights.ts";
import { loadStart, type Surroundings } from "./load.ts";
import { placement } from "./placement.ts";
import { trainableGroups } from "./trainable.ts";

export type { Surroundings } from "./load.ts";

/** What a run trains, on what, and by which measure. */
export interface Stage<B extends Batch = RowBatch> extends PreparedObjective<B> {
  readonly pretrained: PretrainedLlava;
  /** Names of checkpoints, PEFT's for adapters → tensors that learn, or this rank's pieces of them, with their rates. */
  readonly groups: readonly ParameterGroup[];
  /** Numbers that learn, on all ranks together. */
  readonly learning: number;
  /** Where each rank has a part of the weights. */
  readonly sharded: ShardedWeights | undefined;
  /** Whole modules of the adapter that is gone on from (see `Trainable`). */
  readonly keptModules: readonly string[];
  readonly generator: Generator;
}

/** Loads, freezes and reads everything that a recipe names. */
export async function prepareStage(given: Recipe, around: Surroundings): Promise<Stage> {
  const recipe = { ...given, device: useDevice(deviceOf(given, around)) }; // before anything is fetched
  const ranks =
    shardingOf(recipe) === "none" ? undefined : divide(around.communicator ?? alone, recipe.shardingGroup);
  const generator = new Generator(recipe.seed);
  const pretrained = withTransparency(recipe, await loadStart(recipe, generator, around), around);
  const { groups, keptModules } = trainableGroups(recipe, pretrained, generator);
  const learning = groups
    .flatMap(({ parameters }) => [...parameters.values()])
    .reduce((sum, { elements }) => sum + elements, 0);
  const sharded = ranks && shard(recipe, pretrained, groups, ranks);
  const prepared = await prepareObjective({ recipe, pretrained, generator, around, sharded });
  return {
    ...prepared,
    pretrained,
    groups: sharded?.groups ?? groups,
    learning,
    sharded,
    keptModules,
    generator,
    [Symbol.dispose]() {
      prepared[Symbol.dispose]();
      sharded?.[Symbol.dispose]();
      generator[Symbol.dispose]();
      pretrained[Symbol.dispose]();
    },
  };
}

/** Each rank on a machine has a GPU of its own, if it sees several. */
const deviceOf = ({ device }: Recipe, { communicator: { localRank = 0 } = alone }: Surroundings): string =>
  device === "cuda" && localRank > 0 && cudaDevices() > 1 ? `cuda:${localRank}` : device;

/** Leaves this rank its part of the weights. */
function shard(
  recipe: Recipe,
  { model }: PretrainedLlava,
  groups: readonly ParameterGroup[],
  ranks: RankGroups,
): ShardedWeights {
  const sharding = shardingOf(recipe) as "states" | "weights";
  const { computed, matrices, device } = placement(recipe, "languageModel");
  // Adapters are small, and some computations with them are in float32.
  const gathered = recipe.lora ? "float32" : computed;
  // Scales of few bits stay in their type.
  const frozen = matrices === undefined ? computed : undefined;
  return new ShardedWeights(model, { ranks, groups, sharding, gathered, frozen, device });
}

/** With the recipe's way with transparent pixels, which a whole model keeps. */
function withTransparency(
  recipe: Recipe,
  started: PretrainedLlava,
  { report }: Surroundings,
): PretrainedLlava {
  const { transparency } = recipe.data;
  if (transparency === undefined) return started;
  const { processor, origin } = started;
  const image = processor.imageConfig;
  const own = image.transparency ?? "drop";
  if (own !== transparency && (recipe.lora || recipe.train.join() === "projector" || !origin))
    report(
      `data.transparency is "${transparency}", which the result does not keep: give it again (--transparency) where it is used`,
    );
  const config = { ...origin?.config, [transparencyField]: transparency };
  return {
    ...started,
    processor: processor.with({ image: { ...image, transparency } }),
    origin: origin && { ...origin, config },
  };
}
