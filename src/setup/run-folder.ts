import { existsSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../errors.ts";
import { describeIssues, readJsonFile } from "../files/index.ts";

/** What a run's `recipe.json` says of the model that it started from. */
export interface RunRecipe {
  readonly model: string;
  readonly vision?:
    | {
        readonly tower: string;
        readonly projector: string;
        readonly featureLayer: number;
        readonly imageAspectRatio: "pad" | "square";
      }
    | undefined;
  /** How images are cut into tiles (`AnyRes`), where that was not the model's own way. */
  readonly anyres?: unknown;
  /** The same of videos. */
  readonly video?: unknown;
  readonly tokensPerSide?: number | undefined;
  /** "fresh", "loaded" or a file. */
  readonly projector: string;
  readonly base?: string | undefined;
  readonly visionTower?: string | undefined;
}

const fields = z.object({
  model: z.string(),
  vision: z
    .object({
      tower: z.string(),
      projector: z.string(),
      featureLayer: z.int(),
      imageAspectRatio: z.enum(["pad", "square"]),
    })
    .optional(),
  anyres: z.unknown().optional(),
  video: z.unknown().optional(),
  tokensPerSide: z.int().positive().optional(),
  projector: z.string().default("fresh"),
  base: z.string().optional(),
  visionTower: z.string().optional(),
});

/** The output folder of a training run, by what it has left behind. */
export type RunFolder =
  | { readonly kind: "whole"; readonly path: string }
  /** Weights that take their places in the model that the recipe names. */
  | { readonly kind: "part"; readonly weights: string; readonly recipe: RunRecipe };

const isRun = (folder: string): boolean =>
  existsSync(join(folder, "recipe.json")) && !existsSync(join(folder, "config.json"));

/**
 * What a folder holds if it is a run's: a model or adapter in a folder of its own, or trained weights alone; undefined for
 * another folder.
 * @throws LlavaError "checkpoint" for a run that has no result yet
 */
export async function readRunFolder(folder: string): Promise<RunFolder | undefined> {
  if (!isRun(folder)) return undefined;
  for (const name of ["model", "adapter"])
    if (existsSync(join(folder, name))) return { kind: "whole", path: join(folder, name) };
  const weights = ["projector.safetensors", "trained.safetensors"]
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
  if (weights === undefined)
    throw new LlavaError("checkpoint", `${folder} is a training run without a result`, {
      hint: "It was stopped before its end: go on with llava train … --resume.",
    });
  return { kind: "part", weights, recipe: await readRecipe(folder) };
}

/**
 * The base model of an adapter that lies where its run left it, by the run's recipe: an adapter's own files name a folder
 * without its place. undefined for an adapter elsewhere.
 */
export async function baseOfRun(adapter: string): Promise<string | undefined> {
  const run = dirname(resolve(adapter));
  return basename(resolve(adapter)) === "adapter" && isRun(run)
    ? fromRun(run, (await readRecipe(run)).model)
    : undefined;
}

async function readRecipe(run: string): Promise<RunRecipe> {
  const path = join(run, "recipe.json");
  const recipe = fields.safeParse(await readJsonFile(path));
  if (recipe.success) return recipe.data;
  throw new LlavaError("checkpoint", `${path}: ${describeIssues(recipe.error)}`, {
    hint: "Give the model that the run started from (--base).",
  });
}

/** A folder that a recipe names, which may have meant it from the run's own. */
export const fromRun = (folder: string, name: string): string =>
  !isAbsolute(name) && !existsSync(name) && existsSync(join(folder, name)) ? join(folder, name) : name;
