import { statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LlavaError } from "../errors.ts";
import { describedPlaces, type HubId, hubPlaces, parseHubId, recordedFolder, usableFolder } from "./hub.ts";
import { offlineVariable } from "./hub-account.ts";
import { downloadHubModel } from "./hub-download.ts";
import { type BuiltinModel, builtinModels } from "./manifest.ts";
import type { ResolveOptions } from "./options.ts";
import { builtinFolder, fetchBuiltin, missingFiles } from "./wheel-model.ts";

/** Where the files of a model are. */
export type ResolvedModel =
  | { kind: "folder"; path: string }
  | {
      kind: "builtin";
      name: string;
      folder: string;
      visionTower: string;
      languageModel: string;
      /** The project's own file; it is not checked that it exists, since training writes it. */
      projector: string;
    };

/**
 * Finds a model by built-in name, path of a folder, or hub name ("organisation/name", optionally "@revision"), and
 * fetches what is missing.
 * @throws LlavaError "config" for an unknown name, "setup", "network" or "checkpoint" when fetching fails
 */
export async function resolveModel(nameOrPath: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const { env = process.env } = options;
  const variable = offlineVariable(env);
  const { offline = false } = options;
  const notHere = (name: string, reason: string): LlavaError =>
    new LlavaError("setup", `model ${name} is not on this machine: ${reason}`, {
      hint: `Fetch it while online${variable ? `, with ${variable} unset` : ""}: llava model pull ${name}`,
    });
  const builtin = Object.hasOwn(builtinModels, nameOrPath) ? builtinModels[nameOrPath] : undefined;
  if (builtin) {
    const folder = builtinFolder(nameOrPath, env);
    const missing = missingFiles(builtin, folder, options.weights);
    if (missing.length > 0 && offline) throw notHere(nameOrPath, `${folder} lacks ${missing[0]!.name}`);
    if (missing.length > 0) await fetchBuiltin(builtin, folder, options);
    return locateBuiltin(nameOrPath, builtin, folder);
  }
  const found = statSync(nameOrPath, { throwIfNoEntry: false });
  if (found?.isDirectory()) return { kind: "folder", path: resolve(nameOrPath) };
  if (found)
    throw new LlavaError("config", `${nameOrPath} is a file; a model is a folder`, {
      hint: `Give the folder that holds config.json, tokenizer and weights, such as ${dirname(resolve(nameOrPath))}.`,
    });
  const id = parseHubId(nameOrPath);
  if (!id) {
    throw new LlavaError(
      "config",
      `no model "${nameOrPath}": neither a built-in name, nor a folder, nor a hub name`,
      {
        hint: `Built-in: ${Object.keys(builtinModels).join(", ")}. Hub names have the form organisation/name.`,
      },
    );
  }
  const path = await findHubModel(id, offline || variable !== undefined, options);
  if (path === undefined) throw notHere(nameOrPath, "it is in no cache, or not all of it");
  return { kind: "folder", path };
}

/**
 * The folder of a hub's model. The hub is asked once which files belong to it; where it cannot be asked, what can be used
 * by itself is.
 */
async function findHubModel(
  id: HubId,
  offline: boolean,
  options: ResolveOptions,
): Promise<string | undefined> {
  const places = hubPlaces(id, options.env ?? process.env);
  const recorded =
    recordedFolder(places) ??
    (options.weights === false ? recordedFolder(describedPlaces(places)) : undefined);
  if (recorded) return recorded;
  const usable = usableFolder(places);
  if (offline) return usable;
  try {
    return await downloadHubModel(id, options);
  } catch (error) {
    if (usable === undefined || !(error instanceof LlavaError) || error.code === "aborted") throw error;
    options.report?.(`${error.message}; what is in ${usable} is used as it is.`);
    return usable;
  }
}

function locateBuiltin(
  name: string,
  { visionTower, languageModel, projector }: BuiltinModel,
  folder: string,
) {
  return {
    kind: "builtin" as const,
    name,
    folder,
    visionTower: join(folder, visionTower.name),
    languageModel: join(folder, languageModel.name),
    projector,
  };
}
