import { join } from "node:path";
import { writeAtomically } from "../files/index.ts";
import { byteWidth, type Tensor } from "../torch/index.ts";
import { type WriteOptions, writeSafetensors, writtenType } from "./safetensors.ts";

export interface ShardOptions extends WriteOptions {
  /** A file grows no larger than this, but for a tensor that is larger alone. */
  readonly maxBytes: number;
  /** Of each file; see `writeSafetensors`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes tensors into a folder as `model.safetensors`, or as numbered shards with `model.safetensors.index.json` where
 * they are larger than one file may be.
 * @returns the names of the files of weights
 */
export function writeShards(
  folder: string,
  tensors: ReadonlyMap<string, Tensor>,
  { maxBytes, metadata, ...options }: ShardOptions,
): string[] {
  const shards: (readonly [string, Tensor])[][] = [[]];
  let [filled, total] = [0, 0];
  for (const [name, tensor] of tensors) {
    const bytes = tensor.elements * byteWidth[writtenType(tensor, options.dtype)];
    if (filled > 0 && filled + bytes > maxBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push([name, tensor]);
    filled += bytes;
    total += bytes;
  }
  const number = (index: number) => String(index).padStart(5, "0");
  const files = shards.map((_, index) =>
    shards.length === 1
      ? "model.safetensors"
      : `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`,
  );
  for (const [index, shard] of shards.entries())
    writeSafetensors(join(folder, files[index]!), new Map(shard), metadata, options);
  if (shards.length > 1) {
    const places = shards.flatMap((shard, index) => shard.map(([name]) => [name, files[index]] as const));
    const weight_map = Object.fromEntries(places);
    writeAtomically(join(folder, "model.safetensors.index.json"), [
      `${JSON.stringify({ metadata: { total_size: total }, weight_map }, null, 2)}\n`,
    ]);
  }
  return files;
}
