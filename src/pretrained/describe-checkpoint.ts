import { existsSync } from "node:fs";
import { resolve as absolute, join } from "node:path";
import { LlavaError } from "../errors.ts";
import {
  type LlavaConfig,
  PUBLISHED_TOWERS,
  readLlavaConfig,
  towerFolder,
  towerName,
} from "../models/index.ts";
import { isHubName, type ResolvedModel } from "../setup/index.ts";

export interface TowerOptions {
  /** Finds the files of a vision tower that a checkpoint names and does not hold. */
  readonly resolve?: ((name: string) => Promise<ResolvedModel>) | undefined;
  /** Folder or hub name of the vision tower of a checkpoint in the original layout, instead of the one that it names. */
  readonly visionTower?: string | undefined;
  readonly report?: ((line: string) => void) | undefined;
}

export interface DescribedCheckpoint {
  /** Its `visionTower`, where the weights are not in the checkpoint, is a folder. */
  readonly config: LlavaConfig;
  /** Folder that describes the tower, whether its weights are in the checkpoint or not; undefined where none was needed. */
  readonly tower: string | undefined;
}

/**
 * Reads a checkpoint's configuration and finds its vision tower: the one that is given, else beside the checkpoint or its
 * base, else by its hub name.
 * @throws LlavaError "config" or "checkpoint" for a tower that is nowhere, and "usage" for one that is not asked for
 */
export async function describeCheckpoint(
  folder: string,
  base: string,
  { resolve, visionTower, report }: TowerOptions,
): Promise<DescribedCheckpoint> {
  const name = towerName(folder);
  if (visionTower !== undefined && name === undefined)
    throw new LlavaError("usage", `${folder} has its vision tower in its own files: none is to be given`, {
      hint: "Leave out --vision-tower; it is for checkpoints in the original layout, which name another's files.",
    });
  const find = async (tower: string): Promise<string> => {
    if (existsSync(tower) || resolve === undefined) return absolute(tower);
    const found = await resolve(tower);
    if (found.kind === "folder") return found.path;
    throw new LlavaError("config", `the vision tower ${tower} is a whole model`, {
      hint: "Give the folder or hub name of a CLIP model.",
    });
  };
  let tower = visionTower === undefined ? towerFolder(folder, { base }) : await find(visionTower);
  // The shapes of the published are known; those of others have to be fetched with them.
  if (tower === undefined && name !== undefined && isHubName(name) && !Object.hasOwn(PUBLISHED_TOWERS, name))
    tower = await find(name).catch((error: unknown) => {
      if (error instanceof LlavaError && error.code !== "aborted") return undefined;
      throw error;
    });
  const config = readLlavaConfig(folder, { base, tower });
  if (config.visionTower === undefined) {
    if (visionTower !== undefined)
      report?.(`${visionTower} says only the shape of the vision tower: its weights are ${folder}'s own`);
    return { config, tower };
  }
  if (tower !== undefined) return { config, tower };
  tower = await find(config.visionTower);
  if (existsSync(join(tower, "config.json")))
    return { config: readLlavaConfig(folder, { base, tower }), tower };
  return { config: { ...config, visionTower: tower }, tower };
}
