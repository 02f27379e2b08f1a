import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, readJsonObject } from "../../files/index.ts";

/** Where the vision tower of a checkpoint in the original layout may be. */
export interface TowerPlaces {
  /** Folder of the base model, where the checkpoint's own holds only a part. */
  readonly base?: string | undefined;
  /** Folder that is to be taken, whatever the configuration names. */
  readonly tower?: string | undefined;
}

/** @throws LlavaError "checkpoint" where there is none */
export function readConfigJson(folder: string): JsonObject {
  const path = join(folder, "config.json");
  if (existsSync(path)) return readJsonObject(path);
  throw new LlavaError(
    "checkpoint",
    `${folder} ${existsSync(folder) ? "has no config.json" : "does not exist"}`,
    { hint: "Give the folder of a LLaVA checkpoint, with config.json, tokenizer and weights." },
  );
}

/** What a checkpoint in the original layout calls its vision tower: a hub name, or a path, maybe of another machine. */
export function towerName(folder: string): string | undefined {
  const { mm_vision_tower: name } = readConfigJson(folder);
  return typeof name === "string" ? name : undefined;
}

/**
 * The folder of a vision tower that is here: under the path that the configuration names, or beside the checkpoint's
 * files, or beside its folder, under the last part of that path.
 */
export function towerFolder(folder: string, { base, tower }: TowerPlaces = {}): string | undefined {
  const name = towerName(folder);
  if (name === undefined) return undefined;
  if (tower !== undefined) return tower;
  const homes = [folder, ...(base === undefined ? [] : [base])];
  const last = lastPart(name);
  const candidates = [
    ...(isAbsolute(name) ? [name] : [...homes.map((home) => join(home, name)), resolve(name)]),
    ...(last === "" ? [] : homes.flatMap((home) => [join(home, last), join(home, "..", last)])),
  ];
  return candidates.find((candidate) => existsSync(join(candidate, "config.json")));
}

/** Of a path of any system. */
export const lastPart = (path: string): string =>
  path.split(/[/\\]+/).findLast((part) => !/^(?:|\.{1,2}|[A-Za-z]:|~)$/.test(part)) ?? "";
