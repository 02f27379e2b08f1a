import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, type Environment } from "./cache.ts";
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
  const downloaded = (existsSync(hub) ? readdirSync(hub) : [])
    .filter((entry) => statSync(join(hub, entry)).isDirectory())
    .map((entry) => ({
      name: entry
        .replace(/\.partial$/, "")
        .replace("--", "/")
        .replace(/@main$/, ""),
      summary: "from the hub",
      folder: join(hub, entry),
      bytes: folderBytes(join(hub, entry)),
      complete: !entry.endsWith(".partial"),
    }));
  return [...builtin, ...downloaded];
}

function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
