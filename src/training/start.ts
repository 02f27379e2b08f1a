import { existsSync } from "node:fs";
import { openSafetensors } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { loadBuiltin, loadCheckpoint, PooledTower, type PretrainedLlava } from "../models/index.ts";
import { type ProgressFactory, resolveModel } from "../setup/index.ts";
import type { Generator } from "../torch/index.ts";
import type { Recipe } from "./recipe.ts";
import { prefixes } from "./trainable.ts";

export interface Surroundings {
  readonly progress: ProgressFactory;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The model that a recipe starts from, with the projector that it starts from. */
export async function loadModel(
  recipe: Recipe,
  generator: Generator,
  around: Surroundings,
): Promise<PretrainedLlava> {
  const { model: name, dtype, device, tokensPerSide, projector: start, frozenWeights } = recipe;
  const { report, progress, signal } = around;
  const resolved = await resolveModel(name, { report, progress, ...(signal && { signal }) });
  if (tokensPerSide !== undefined && resolved.kind === "folder")
    throw new LlavaError(
      "config",
      `tokensPerSide is for built-in models; ${name} says itself how many it has`,
    );
  const untrained = start !== "loaded";
  const options = { dtype, computeDtype: dtype, device, ...(frozenWeights && { frozenWeights }) };
  const pretrained =
    resolved.kind === "builtin"
      ? loadBuiltin(resolved, { ...options, untrained, ...(tokensPerSide && { tokensPerSide }) })
      : await loadCheckpoint(resolved.path, options);
  const { projector } = pretrained.model;
  if (start === "fresh") projector.initialize(generator);
  else if (start !== "loaded") loadProjector(pretrained, start);
  projector.to({ dtype: "float32", device });
  return pretrained;
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
