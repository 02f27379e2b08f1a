import { readdirSync } from "node:fs";
import { join, parse } from "node:path";
import type { VideoFile } from "../../protocol/index.ts";
import { imageFolder } from "./locate.ts";

const kinds = new Set([".mp4", ".mkv", ".webm", ".avi", ".mov", ".gif"]);

/**
 * Videos by their name without its ending, in the first of the folders that is there. What is missing, as for
 * scoring alone, is called .mp4.
 */
export function videoFiles(data: string, folders: readonly string[]): (name: string) => VideoFile {
  const folder = imageFolder(data, folders);
  const endings = new Map(
    filesOf(folder).flatMap((file) => {
      const { name, ext } = parse(file);
      return kinds.has(ext.toLowerCase()) ? [[name, ext] as const] : [];
    }),
  );
  return (name) => ({ path: join(folder, `${name}${endings.get(parse(name).base) ?? ".mp4"}`) });
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
