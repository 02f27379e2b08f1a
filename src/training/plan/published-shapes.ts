import { existsSync } from "node:fs";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { readJsonObject } from "../../files/index.ts";
import {
  type LlavaConfig,
  PUBLISHED_DECODERS,
  PUBLISHED_TOWERS,
  parseLlavaConfig,
  parseVisionConfig,
  readLlavaConfig,
} from "../../models/index.ts";
import { assembledJson } from "../../pretrained/index.ts";
import { resolveModel } from "../../setup/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { eyesOf } from "../stage/load.ts";

/** Language models of finished models, which all see with the same tower. */
const FINISHED: Readonly<Record<string, string>> = {
  "liuhaotian/llava-v1.5-7b": "lmsys/vicuna-7b-v1.5",
  "liuhaotian/llava-v1.5-13b": "lmsys/vicuna-13b-v1.5",
  "liuhaotian/llava-v1.6-vicuna-7b": "lmsys/vicuna-7b-v1.5",
  "lmms-lab/LLaVA-NeXT-Video-7B": "lmsys/vicuna-7b-v1.5",
  "ShareGPTVideo/LLaVA-Hound-SFT": "lmsys/vicuna-7b-v1.5",
  "liuhaotian/llava-v1.6-34b": "NousResearch/Nous-Hermes-2-Yi-34B",
  "lmms-lab/LLaVA-NeXT-Video-34B": "NousResearch/Nous-Hermes-2-Yi-34B",
};

const eyesOf15 = {
  tower: "openai/clip-vit-large-patch14-336",
  projector: "mlp2x_gelu",
  featureLayer: -2,
  imageAspectRatio: "pad",
} as const;

/**
 * The shape of the model that a recipe trains, from config.json alone: weights need not be there, and nothing is fetched.
 * undefined where it is not known: of built-in models, and of those that are neither here nor published under that name.
 */
export async function modelShape({
  model,
  vision,
  base,
  visionTower,
}: Pick<Recipe, "model" | "vision" | "base" | "visionTower">): Promise<LlavaConfig | undefined> {
  const folder = await localFolder(model);
  if (folder !== undefined && !vision) {
    const [baseFolder, tower] = await Promise.all(
      [base, visionTower].map((name) => (name === undefined ? undefined : localFolder(name))),
    );
    return readLlavaConfig(folder, { base: baseFolder, tower });
  }
  const text =
    folder !== undefined
      ? readJsonObject(join(folder, "config.json"))
      : PUBLISHED_DECODERS[FINISHED[model] ?? model];
  const eyes = vision ?? (model in FINISHED ? eyesOf15 : undefined);
  if (text === undefined || eyes === undefined) return undefined;
  const tower = await localFolder(eyes.tower);
  const towerShape =
    tower === undefined
      ? PUBLISHED_TOWERS[eyes.tower]
      : parseVisionConfig(readJsonObject(join(tower, "config.json")), tower);
  const where = join(folder ?? model, "config.json");
  const json = assembledJson(text, eyesOf(eyes, tower ?? eyes.tower), where);
  return towerShape && parseLlavaConfig(json, where, towerShape);
}

/** The folder of a model that is on this machine; one with config.json alone will do. */
async function localFolder(name: string): Promise<string | undefined> {
  try {
    const resolved = await resolveModel(name, { offline: true });
    return resolved.kind === "folder" && existsSync(join(resolved.path, "config.json"))
      ? resolved.path
      : undefined;
  } catch (error) {
    if (error instanceof LlavaError && error.code === "setup") return undefined;
    throw error;
  }
}
