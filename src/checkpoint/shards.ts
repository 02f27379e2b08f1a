import { dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { readJsonObject } from "./file.ts";
import { routed, type TensorSource } from "./source.ts";

/**
 * The tensors of a sharded checkpoint, after its index file (`model.safetensors.index.json` and the like), whose
 * `weight_map` names the shard of each tensor. `open` opens one shard. As in transformers, tensors that the index does not
 * list belong to it, and names that it lists and no shard has do not.
 */
export function openShards(indexPath: string, open: (path: string) => TensorSource): TensorSource {
  const { weight_map: weightMap } = readJsonObject(indexPath);
  if (typeof weightMap !== "object" || weightMap === null) {
    throw new LlavaError(
      "checkpoint",
      `${indexPath}: has no weight_map; expected one of tensor names to files`,
    );
  }
  const shards = new Map<string, TensorSource>();
  const owners = new Map<string, TensorSource>();
  try {
    for (const [name, file] of Object.entries(weightMap)) {
      const shard = shards.get(file) ?? openShard(indexPath, name, file, open);
      shards.set(file, shard);
      if (shard.has(name)) owners.set(name, shard);
    }
    for (const shard of shards.values())
      for (const name of shard.names()) if (!owners.has(name)) owners.set(name, shard);
  } catch (error) {
    for (const shard of shards.values()) shard[Symbol.dispose]();
    throw error;
  }
  return routed(indexPath, owners, [...shards.values()]);
}

function openShard(
  indexPath: string,
  name: string,
  file: unknown,
  open: (path: string) => TensorSource,
): TensorSource {
  if (typeof file !== "string" || !/^[^/\\\0]+$/.test(file) || file === "..") {
    throw new LlavaError(
      "checkpoint",
      `${indexPath}: puts ${name} in ${JSON.stringify(file)}; expected a file name`,
    );
  }
  try {
    return open(join(dirname(indexPath), file));
  } catch (cause) {
    if ((cause as { cause?: { code?: string } }).cause?.code !== "ENOENT") throw cause;
    throw new LlavaError("checkpoint", `${indexPath}: puts ${name} in ${file}, which is not there`, {
      hint: `Download ${file} into ${dirname(indexPath)}.`,
      cause,
    });
  }
}
