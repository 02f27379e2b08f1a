import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { canonicalName } from "./keys.ts";
import { openShards } from "./shards.ts";
import { renamed, type TensorSource } from "./source.ts";
import { openWeights } from "./weights-file.ts";

/** What a checkpoint's folder may hold, in order of preference. */
const LAYOUTS: readonly (readonly [string, (path: string) => TensorSource])[] = [
  ["model.safetensors", openWeights],
  ["model.safetensors.index.json", (path) => openShards(path, openWeights)],
  ["pytorch_model.bin", openWeights],
  ["pytorch_model.bin.index.json", (path) => openShards(path, openWeights)],
  ["mm_projector.bin", openWeights],
];

/**
 * The weights in a checkpoint's folder, in whichever container they are, under canonical names (see `canonicalName`).
 * Throws LlavaError("checkpoint") where there are none.
 */
export function openCheckpoint(folder: string): TensorSource {
  return renamed(openStored(folder), canonicalName);
}

function openStored(folder: string): TensorSource {
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
  if (ggufFiles[0] !== undefined) return openWeights(join(folder, ggufFiles[0]));
  const looked = [...LAYOUTS.map(([file]) => file), "*.gguf"].join(", ");
  throw new LlavaError("checkpoint", `${folder}: no weights; looked for ${looked}`, {
    hint: existsSync(folder)
      ? "Download the weights into this folder."
      : "The folder does not exist; check the path.",
  });
}
