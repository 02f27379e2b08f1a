import { LlavaError } from "../../errors.ts";
import { decayGroups, type ParameterGroup } from "../../optim/index.ts";
import {
  adaptedLinears,
  adapterParameters,
  applyLora,
  loadAdapter,
  mergeLora,
  type PretrainedLlava,
} from "../../pretrained/index.ts";
import { type Generator, releasePages, type Tensor } from "../../torch/index.ts";
import { type Recipe, shardingOf, usualTargets } from "../recipe/recipe.ts";
import { placement } from "./placement.ts";

/** The newline between rows of an image's features, in checkpoints. */
export const NEWLINE = "model.image_newline";

/** What names of tensors begin with in checkpoints. */
export const prefixes = {
  visionTower: "model.vision_tower.",
  projector: "model.multi_modal_projector.",
  languageModel: "model.language_model.",
} as const;

/** The peak rate of a part that learns. */
export const learningRateOf = ({ optimizer }: Recipe, part: keyof typeof prefixes): number =>
  ({
    visionTower: optimizer.visionTowerLearningRate,
    projector: optimizer.projectorLearningRate,
    languageModel: undefined,
  })[part] ?? optimizer.learningRate;

export interface Trainable {
  readonly groups: ParameterGroup[];
  /** Whole modules of the adapter that is gone on from, which belong to the result though they may not learn. */
  readonly keptModules: readonly string[];
}

/** Freezes all that the recipe does not train, and gives what learns a place and a type to learn in. */
export function trainableGroups(recipe: Recipe, { model }: PretrainedLlava, generator: Generator): Trainable {
  const { adapters, keptModules } = recipe.lora
    ? addAdapters(model, recipe, recipe.lora, generator)
    : { adapters: undefined, keptModules: [] };
  model.requiresGrad_(false);
  const { train, optimizer } = recipe;
  const { learningRate, weightDecay } = optimizer;
  const groups = train.flatMap((part) => {
    const module = model[part];
    const { stored, device } = placement(recipe, part);
    // Where each rank has a part alone, it copies no more than that (see `Unit`).
    if (shardingOf(recipe) === "none") {
      for (const [name, weight] of module.namedParameters()) {
        const precise = weight.to(stored);
        // Loaded weights lie in a mapped file, which is not to be written to.
        const own = precise === weight ? weight.clone() : precise;
        releasePages(weight);
        module.setParameter(name, own);
      }
      module.to({ dtype: stored, device });
    }
    module.requiresGrad_(true);
    const parameters = named(prefixes[part], module.namedParameters());
    return decayGroups(parameters, { learningRate: learningRateOf(recipe, part), weightDecay });
  });
  if (newlineLearns(recipe) && model.imageNewline) {
    const { stored, device } = placement(recipe, "projector");
    model.setParameter(
      "image_newline",
      model.imageNewline.clone().to(stored).toDevice(device).requiresGrad_(true),
    );
    groups.push(...decayGroups(new Map([[NEWLINE, model.imageNewline]]), { learningRate, weightDecay }));
  }
  if (!adapters) return { groups, keptModules };
  for (const parameter of adapters.values()) parameter.requiresGrad_(true);
  return { groups: [...groups, ...decayGroups(adapters, { learningRate, weightDecay })], keptModules };
}

/**
 * The newline belongs to the language model's input, and learns with it; one that the model is given by the recipe, with
 * the projector as well. Beside adapters it stays as it was loaded, as PEFT has it.
 */
const newlineLearns = ({ train, anyres }: Pick<Recipe, "train" | "anyres">): boolean =>
  train.includes("languageModel") || (anyres !== undefined && train.includes("projector"));

/** Adapters without effect, or those of a folder that is gone on from. */
function addAdapters(
  model: PretrainedLlava["model"],
  { projector, train, objective }: Recipe,
  { start, ...given }: NonNullable<Recipe["lora"]>,
  generator: Generator,
): { adapters: Map<string, Tensor>; keptModules: readonly string[] } {
  // A policy that is compared with its reference is computed as it is.
  const still = objective?.type === "preference" ? { dropout: 0 } : {};
  const options = { ...given, ...still };
  if (start === undefined) return { adapters: applyLora(model, options, generator), keptModules: [] };
  const found = loadAdapter(model, start, {
    generator,
    dropout: options.dropout,
    wholeModules: projector === "loaded" ? "all" : "others",
  });
  requireSameKind(found, options, start);
  requireSameLayers(model, options.targets, start);
  // A part that learns whole learns on from where its adapters had brought it.
  for (const part of train) mergeLora(model[part]);
  return { adapters: adapterParameters(model), keptModules: found.wholeModules };
}

/** An adapter that is gone on from adapts the layers that it has; a recipe that names others asks for what is not done. */
function requireSameLayers(
  { languageModel }: PretrainedLlava["model"],
  targets: readonly string[],
  start: string,
): void {
  if (targets.join() === usualTargets.join()) return; // nothing was said
  const found = new Set([...adaptedLinears(languageModel)].map(([name]) => name.split(".").at(-1)!));
  const wanted = new Set(targets);
  if (found.size === wanted.size && [...found].every((name) => wanted.has(name))) return;
  throw new LlavaError(
    "config",
    `${start} adapts ${[...found].join(", ") || "no layer of the language model"}, the recipe ${targets.join(", ")}`,
    {
      hint: `An adapter that is trained further keeps its layers; set lora.targets to ${JSON.stringify([...found])}.`,
    },
  );
}

function requireSameKind(
  found: ReturnType<typeof loadAdapter>,
  options: Omit<NonNullable<Recipe["lora"]>, "start">,
  start: string,
): void {
  const { rank, alpha } = found;
  if (rank !== options.rank || alpha !== options.alpha)
    throw new LlavaError(
      "config",
      `${start} has rank ${rank} and alpha ${alpha}, the recipe ${options.rank} and ${options.alpha}`,
      { hint: "An adapter that is trained further keeps its size; set lora.rank and lora.alpha to it." },
    );
  if (found.bias !== "none")
    throw new LlavaError(
      "config",
      `${start} has bias "${found.bias}": biases of its base were trained with it`,
      {
        hint: "They are not trained further here; merge it into its base with PEFT, and start from that.",
      },
    );
  const field = (["rankStabilized", "decomposed"] as const).find(
    (each) => found[each] !== (options[each] ?? false),
  );
  if (field !== undefined)
    throw new LlavaError("config", `${start} has ${field} ${found[field]}, the recipe ${!found[field]}`, {
      hint: `An adapter that is trained further stays of its kind; set lora.${field} to ${found[field]}.`,
    });
}

/** Parameters of a part by names of checkpoints. */
export const named = (
  prefix: string,
  parameters: Iterable<readonly [name: string, parameter: Tensor]>,
): Map<string, Tensor> => new Map([...parameters].map(([name, tensor]) => [prefix + name, tensor]));
