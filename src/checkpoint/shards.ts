import { dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { readJsonObject } from "../files/index.ts";
import { routed, type TensorSource } from "./source.ts";

/**
 * The tensors of a sharded checkpoint, after its index file (`model.safetensors.index.json` and the like), whose
 * `weight_map` names the shard of each tensor. `open` opens one shard. As in transformers, what counts is what the shards
 * hold: a tensor that the index puts elsewhere or does not list is there as well, and one that it lists and no shard has
 * is missing only if the model needs it.
 */
export function openShards(indexPath: string, open: (path: string) => TensorSource): TensorSource {
  const { weight_map: weightMap } = readJsonObject(indexPath);
  if (typeof weightMap !== "object" || weightMap === null) {
    throw new LlavaError(
      "checkpoint",
      `${indexPath}: has no weight_map; expected one of tensor names to files`,
    );
  }
  const listed = new Map(Object.entries(weightMap));
  const shards = new Map<string, TensorSource>();
  const owners = new Map<string, TensorSource>();
  try {
    for (const [name, file] of listed)
      if (!shards.has(file)) shards.set(file, openShard(indexPath, name, file, open));
    for (const [file, shard] of shards)
      for (const name of shard.names())
        if (!owners.has(name) || listed.get(name) === file) owners.set(name, shard);
    if (owners.size > 0 && ![...listed.keys()].some((name) => owners.has(name)))
      throw new LlavaError("checkpoint", `${indexPath}: lists none of the tensors that its shards hold`, {
        hint: "Index and shards are of different models; get both again.",
      });
  } catch (error) {
    for (const shard of shards.values()) shard[Symbol.dispose]();
    throw error;
  }
  return routed(indexPath, owners, shards.values().toArray(), (name) => !listed.has(name));
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
