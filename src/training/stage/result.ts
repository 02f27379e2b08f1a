import { join } from "node:path";
import { type WriteOptions, writeSafetensors } from "../../checkpoint/index.ts";
import { writeAtomically } from "../../files/index.ts";
import { saveAdapter, saveModel, writeChatTemplate } from "../../pretrained/index.ts";
import { portableRecipe, withoutPlace } from "../recipe/portable-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { computing } from "./placement.ts";
import type { Stage } from "./stage.ts";

/**
 * Writes what was trained into the output folder: adapters as PEFT's files with what was trained whole beside them; a
 * projector alone, for the next stage; otherwise the model as a checkpoint, or the trained weights of a built-in one.
 * With all of them goes the chat template of the prompts that they were trained on. Where each rank has a part of the weights,
 * all take part, and the first writes.
 */
export function writeResult(stage: Stage, recipe: Recipe, step: number): string | undefined {
  const { sharded } = stage;
  return sharded
    ? sharded.collect((valuesOf) => write(stage, recipe, step, valuesOf))
    : write(stage, recipe, step, undefined);
}

function write(
  { pretrained, groups, sharded, keptModules, measured, prompts }: Stage,
  recipe: Recipe,
  step: number,
  valuesOf: WriteOptions["valuesOf"],
): string {
  const { output, train, lora, model } = recipe;
  const { origin } = pretrained;
  const metadata = { recipe: JSON.stringify(portableRecipe(recipe)), step: String(step) };
  if (lora) {
    const folder = join(output, "adapter");
    const wholeModules = new Set([
      ...keptModules,
      ...train.map((part) => moduleNames[part]),
      ...(recipe.anyres && pretrained.model.imageNewline ? ["image_newline"] : []),
      ...[...measured.keys()].map((name) => name.slice(name.lastIndexOf(".") + 1)),
    ]);
    saveAdapter(pretrained.model, folder, {
      baseModel: withoutPlace(model),
      wholeModules: [...wholeModules],
      metadata,
      valuesOf,
    });
    writeChatTemplate(folder, prompts);
    // A bare language model does not know what it sees with: with a configuration the folder is the original code's kind.
    if ((recipe.vision || recipe.anyres || recipe.video) && origin)
      writeAtomically(join(folder, "config.json"), [`${JSON.stringify(origin.config, null, 2)}\n`]);
    return folder;
  }
  const isProjector = train.join() === "projector";
  if (!isProjector && origin) {
    const folder = join(output, "model");
    const { dtype } = computing(recipe);
    saveModel(pretrained.model, folder, { origin, dtype, metadata, prompts, valuesOf });
    return folder;
  }
  const path = join(output, isProjector ? "projector.safetensors" : "trained.safetensors");
  const learning = sharded?.learning ?? groups.flatMap(({ parameters }) => [...parameters]);
  writeSafetensors(path, new Map([...learning, ...measured]), { format: "pt", ...metadata }, { valuesOf });
  writeChatTemplate(output, prompts);
  return path;
}

const moduleNames = {
  visionTower: "vision_tower",
  projector: "multi_modal_projector",
  languageModel: "language_model",
};
