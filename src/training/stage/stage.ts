import {
  type ModelOrigin,
  type PretrainedLlava,
  type PromptFiles,
  transparencyField,
} from "../../models/index.ts";
import type { ParameterGroup } from "../../optim/index.ts";
import { Generator, type Tensor, useDevice } from "../../torch/index.ts";
import { type SupervisedBatch, SupervisedObjective } from "../objectives/supervised/objective.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { RowSource } from "../row-source.ts";
import { openStageData } from "../stage-data.ts";
import { loadModel, type Start, type Surroundings } from "./load.ts";
import { trainableGroups } from "./trainable.ts";

export type { Surroundings } from "./load.ts";

/** What a run trains, on what, and by which measure. */
export interface Stage extends Disposable {
  readonly pretrained: PretrainedLlava;
  /** Where it came from, to write it whole; undefined for a built-in model. */
  readonly origin: ModelOrigin | undefined;
  /** Names of checkpoints, PEFT's for adapters → tensors that learn, with the rates they learn at. */
  readonly groups: readonly ParameterGroup[];
  /** Whole modules of the adapter that is gone on from (see `Trainable`). */
  readonly keptModules: readonly string[];
  /** Measured on the data and kept with the weights: the statistics of the image features. */
  readonly measured: ReadonlyMap<string, Tensor>;
  readonly objective: SupervisedObjective;
  readonly source: RowSource;
  readonly generator: Generator;
  /** Held-out batches with their own images. */
  readonly heldOut: readonly SupervisedBatch[];
  readonly prompts: PromptFiles;
}

/** Loads, freezes and reads everything that a recipe names. */
export async function prepareStage(given: Recipe, around: Surroundings): Promise<Stage> {
  const recipe = { ...given, device: useDevice(given.device) }; // before anything is fetched
  const generator = new Generator(recipe.seed);
  const { pretrained, origin } = withTransparency(recipe, await loadModel(recipe, generator, around), around);
  const { model } = pretrained;
  const { groups, keptModules } = trainableGroups(recipe, pretrained, generator);

  const data = await openStageData(recipe, pretrained, around);
  return {
    pretrained,
    origin,
    groups,
    keptModules,
    measured: data.measured,
    objective: new SupervisedObjective(
      model,
      data.encode,
      recipe.activationCheckpointing ? { recompute: [generator] } : {},
    ),
    source: data.source,
    generator,
    heldOut: data.heldOut,
    prompts: data.prompts,
    [Symbol.dispose]() {
      data[Symbol.dispose]();
      generator[Symbol.dispose]();
      pretrained[Symbol.dispose]();
    },
  };
}

/** With the recipe's way with transparent pixels, which a whole model keeps. */
function withTransparency(recipe: Recipe, started: Start, { report }: Surroundings): Start {
  const { transparency } = recipe.data;
  if (transparency === undefined) return started;
  const { pretrained, origin } = started;
  const own = pretrained.imageProcessor.transparency ?? "drop";
  if (own !== transparency && (recipe.lora || recipe.train.join() === "projector" || !origin))
    report(
      `data.transparency is "${transparency}", which the result does not keep: give it again (--transparency) where it is used`,
    );
  const config = { ...origin?.config, [transparencyField]: transparency };
  return {
    pretrained: { ...pretrained, imageProcessor: { ...pretrained.imageProcessor, transparency } },
    origin: origin && { ...origin, config },
  };
}
