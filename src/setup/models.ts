import { statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LlavaError } from "../errors.ts";
import { downloadHubModel, findHubModel, parseHubId } from "./hub.ts";
import { type BuiltinModel, builtinModels } from "./manifest.ts";
import type { SetupOptions } from "./options.ts";
import { builtinFolder, fetchBuiltin, missingFiles } from "./wheel-model.ts";

export interface ResolveOptions extends SetupOptions {
  /** Use only what is on this machine. */
  offline?: boolean;
}

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
  const { env = process.env, offline = false } = options;
  const builtin = Object.hasOwn(builtinModels, nameOrPath) ? builtinModels[nameOrPath] : undefined;
  if (builtin) {
    const folder = builtinFolder(nameOrPath, env);
    const missing = missingFiles(builtin, folder);
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
  const cached = findHubModel(id, env);
  if (!cached && offline) throw notHere(nameOrPath, "it is in no cache");
  return { kind: "folder", path: cached ?? (await downloadHubModel(id, options)) };
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

const notHere = (name: string, reason: string): LlavaError =>
  new LlavaError("setup", `model ${name} is not on this machine: ${reason}`, {
    hint: `Fetch it while online: llava model pull ${name}`,
  });
