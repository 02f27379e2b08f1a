import { existsSync } from "node:fs";
import { isAdapter, openSafetensors } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import {
  assembledOrigin,
  checkpointOrigin,
  type Eyes,
  loadAssembled,
  loadBuiltin,
  loadPretrained,
  type ModelOrigin,
  PooledTower,
  type PretrainedLlava,
} from "../models/index.ts";
import { type ProgressFactory, type ResolvedModel, resolveModel } from "../setup/index.ts";
import type { Generator } from "../torch/index.ts";
import { computing } from "./computing.ts";
import type { Recipe } from "./recipe.ts";
import { prefixes } from "./trainable.ts";

export interface Surroundings {
  readonly progress: ProgressFactory;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Start {
  readonly pretrained: PretrainedLlava;
  /** undefined for a built-in model and an adapter's. */
  readonly origin: ModelOrigin | undefined;
}

/** The model that a recipe starts from, with the projector that it starts from. */
export async function loadModel(recipe: Recipe, generator: Generator, around: Surroundings): Promise<Start> {
  const { model: name, vision, device, tokensPerSide, projector: start, frozenWeights, train } = recipe;
  const { dtype } = computing(recipe);
  const { report, progress, signal } = around;
  const find = (wanted: string) => resolveModel(wanted, { report, progress, ...(signal && { signal }) });
  const resolved = await find(name);
  if (tokensPerSide !== undefined && resolved.kind === "folder")
    throw new LlavaError(
      "config",
      `tokensPerSide is for built-in models; ${name} says itself how many it has`,
    );
  if (vision && start === "loaded")
    throw new LlavaError("config", `${name} is a language model: it has no projector to be loaded`, {
      hint: 'Set projector to "fresh", or to the projector.safetensors of a stage-1 run.',
    });
  const untrained = start !== "loaded";
  const placement = { computeDtype: dtype, device };
  // What learns starts from the weights as they are stored, which the type that is computed in may not hold.
  const options = { ...placement, ...(frozenWeights && { frozenWeights, dtype }) };
  const load = async (): Promise<Start> => {
    if (resolved.kind === "builtin") {
      const parts = {
        ...(tokensPerSide && { tokensPerSide }),
        ...(frozenWeights && { frozenWeights }),
        dtype: train.includes("languageModel") ? ("float32" as const) : dtype,
      };
      return {
        pretrained: loadBuiltin(resolved, { ...placement, untrained, ...parts }),
        origin: undefined,
      };
    }
    const { path } = resolved;
    if (vision) {
      const eyes = eyesOf(vision, folderOf(await find(vision.tower)));
      return { pretrained: await loadAssembled(path, eyes, options), origin: assembledOrigin(path, eyes) };
    }
    const pretrained = await loadPretrained(resolved, { ...options, resolve: find });
    const origin = isAdapter(path) ? undefined : await checkpointOrigin(path, { resolve: find });
    return { pretrained, origin };
  };
  const { pretrained, origin } = await load();
  const { projector } = pretrained.model;
  if (start === "fresh") projector.initialize(generator);
  else if (start !== "loaded") loadProjector(pretrained, start);
  projector.to({ dtype: "float32", device });
  // The frozen parts of built-in models, and those in 8 bits, have their types already.
  if (resolved.kind === "folder" && !frozenWeights)
    for (const part of ["visionTower", "languageModel"] as const)
      if (!train.includes(part)) pretrained.model[part].to({ dtype });
  return { pretrained, origin };
}

/** What a recipe's `vision` says, in the terms of a model's configuration. */
export const eyesOf = (vision: NonNullable<Recipe["vision"]>, visionTower: string): Eyes => ({
  visionTower,
  projectorType: vision.projector,
  featureLayer: vision.featureLayer,
  imageAspectRatio: vision.imageAspectRatio,
});

function folderOf(tower: ResolvedModel): string {
  if (tower.kind === "folder") return tower.path;
  throw new LlavaError("config", `vision.tower is ${tower.name}, a whole model`, {
    hint: "Give the folder or hub name of a CLIP model.",
  });
}

/** A projector, with its feature statistics if it has any, from the file that stage 1 wrote. */
function loadProjector({ model }: PretrainedLlava, path: string): void {
  if (!existsSync(path))
    throw new LlavaError("config", `${path}: there is no such projector`, {
      hint: 'Give the projector.safetensors of a stage-1 run, or "fresh", or "loaded".',
    });
  using file = openSafetensors(path);
  const { projector, visionTower } = model;
  const statistics = visionTower instanceof PooledTower ? ["feature_mean", "feature_std"] : [];
  for (const name of projector.namedParameters().keys())
    projector.setParameter(name, file.read(prefixes.projector + name).clone());
  for (const name of statistics)
    visionTower.setParameter(name, file.read(prefixes.visionTower + name).clone());
}
