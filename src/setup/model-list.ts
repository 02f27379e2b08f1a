import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, type Environment } from "./cache.ts";
import { isUsable, recordedFolder, sizeOf } from "./hub/find.ts";
import { builtinModels } from "./manifest.ts";
import { builtinFolder, missingFiles } from "./wheel-model.ts";

export interface CachedModel {
  name: string;
  summary: string;
  folder: string;
  /** Bytes on disk. */
  bytes: number;
  /** Whether all files that are to be fetched are here. */
  complete: boolean;
}

/** The built-in models and those that were downloaded from the hub. */
export function listModels(env: Environment = process.env): CachedModel[] {
  const builtin = Object.entries(builtinModels).map(([name, model]) => {
    const folder = builtinFolder(name, env);
    const complete = missingFiles(model, folder).length === 0;
    return { name, summary: model.summary, folder, bytes: folderBytes(folder), complete };
  });
  const hub = join(cacheFolder(env), "hub");
  const entries = existsSync(hub) ? readdirSync(hub) : [];
  const folders = entries.filter((entry) =>
    statSync(join(hub, entry), { throwIfNoEntry: false })?.isDirectory(),
  );
  // A download that is not finished lies under another name, beside an earlier one where there is one.
  const names = new Set(folders.map((entry) => entry.replace(/\.partial$/, "")));
  const downloaded = [...names].map((entry) => {
    const own = join(hub, entry);
    const complete =
      recordedFolder({ own, record: `${own}.json`, snapshot: undefined }) === own || isUsable(own);
    const folder = folders.includes(entry) ? own : `${own}.partial`;
    const name = entry.replace("--", "/").replace(/@main$/, "");
    return { name, summary: "from the hub", folder, bytes: folderBytes(folder), complete };
  });
  return [...builtin, ...downloaded];
}

function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (sizeOf(join(entry.parentPath, entry.name)) ?? 0),
    0,
  );
}
