import { createHash } from "node:crypto";
import { LlavaError } from "../errors.ts";

/** Part `index` (from 0) of `count` parts of a benchmark. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** @throws LlavaError "usage" for anything but "i/n" with 0 ≤ i < n */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (index !== undefined && count !== undefined && index < count) return { index, count };
  throw new LlavaError("usage", `"${text}" is not a shard`, {
    hint: "Give i/n with i from 0 to n − 1: 0/4.",
  });
}

/** Whether a question belongs to a shard: by its id alone, so that order and number of questions do not matter. */
export const inShard = (id: string, { index, count }: Shard): boolean =>
  createHash("sha256").update(id).digest().readUInt32BE() % count === index;
