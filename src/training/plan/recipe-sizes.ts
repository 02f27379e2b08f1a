import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { readGgufHeader } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import { describeIssues, readJsonObject } from "../../files/index.ts";
import { configFromGguf, type LlavaConfig } from "../../models/index.ts";
import { anyResTiling } from "../../pretrained/index.ts";
import type { AnyRes } from "../../processing/image/index.ts";
import { resolveModel } from "../../setup/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { modelShape } from "./published-shapes.ts";
import { builtinShapeSchema, builtinSizes, type ModelSizes, modelSizes } from "./sizes.ts";

const inTiles = (shape: LlavaConfig, anyRes: AnyRes): LlavaConfig => ({
  ...shape,
  tiling: anyResTiling(anyRes, { imageSize: shape.vision.imageSize, grid: shape.grid }),
});

/** What of a recipe says which model is meant, and how it sees. */
export type ModelChoice = Pick<
  Recipe,
  "model" | "vision" | "base" | "visionTower" | "anyres" | "video" | "tokensPerSide"
>;

/** Sizes of the model that a recipe names, without reading its weights. @throws LlavaError "config" where they are not known */
export async function recipeSizes(recipe: ModelChoice): Promise<ModelSizes> {
  const shape = await modelShape(recipe);
  if (shape)
    return modelSizes(recipe.anyres === undefined ? shape : inTiles(shape, recipe.anyres), recipe.video);
  const resolved = await resolveModel(recipe.model, { offline: true }).catch(() => undefined);
  if (resolved?.kind === "builtin" && existsSync(resolved.languageModel)) {
    const path = join(dirname(resolved.projector), "config.json");
    const text = configFromGguf(readGgufHeader(resolved.languageModel), resolved.languageModel);
    const shape = builtinShapeSchema.safeParse(readJsonObject(path));
    if (shape.success) return builtinSizes(text, shape.data, recipe);
    throw new LlavaError("checkpoint", `${path}: ${describeIssues(shape.error)}`, {
      hint: "The file is damaged; fetch the model again (llava model pull).",
    });
  }
  throw new LlavaError("config", `what ${recipe.model} consists of is not known here`, {
    hint: "Give a folder with its config.json (--model), or fetch a built-in model (llava model pull).",
  });
}
