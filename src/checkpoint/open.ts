import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { weightFiles } from "../setup/index.ts";
import type { GgufDialects } from "./gguf/open.ts";
import { canonicalName } from "./naming.ts";
import { openShards } from "./shards.ts";
import { renamed, type TensorSource } from "./source.ts";
import { openWeights } from "./weights-file.ts";

/** What a checkpoint's folder may hold, in order of preference: the list by which a hub's files are chosen as well. */
const LAYOUTS: readonly (readonly [string, (path: string) => TensorSource])[] = weightFiles.map((file) => [
  file,
  file.endsWith(".index.json") ? (path) => openShards(path, openWeights) : (path) => openWeights(path),
]);

/**
 * The weights in a checkpoint's folder, in whichever container they are, under canonical names (see `canonicalName`).
 * @param dialectOf for the names in GGUF files (see `openGguf`)
 * @throws LlavaError "checkpoint" where there are none
 */
export function openCheckpoint(folder: string, dialectOf?: GgufDialects): TensorSource {
  return renamed(openStored(folder, dialectOf), canonicalName);
}

/** The same under the names that the files have. */
export function openStored(folder: string, dialectOf?: GgufDialects): TensorSource {
  for (const [file, open] of LAYOUTS) {
    const path = join(folder, file);
    if (existsSync(path)) return open(path);
  }
  const ggufFiles = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => /\.gguf$/i.test(file))
        .sort()
    : [];
  if (ggufFiles.length > 1) {
    throw new LlavaError("checkpoint", `${folder}: several GGUF files: ${ggufFiles.join(", ")}`, {
      hint: "Keep one of them in the folder.",
    });
  }
  if (ggufFiles[0] !== undefined) return openWeights(join(folder, ggufFiles[0]), dialectOf);
  const looked = [...LAYOUTS.map(([file]) => file), "*.gguf"].join(", ");
  throw new LlavaError("checkpoint", `${folder}: no weights; looked for ${looked}`, {
    hint: existsSync(folder)
      ? "Download the weights into this folder."
      : "The folder does not exist; check the path.",
  });
}
