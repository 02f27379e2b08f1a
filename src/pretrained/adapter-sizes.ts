import { LlavaError } from "../errors.ts";
import type { LowRankOptions } from "../nn/index.ts";
import type { AdapterConfig } from "./adapter-files.ts";

/** What an adapter of one layer measures, where others of the model may have another size. */
export type AdapterSize = Pick<LowRankOptions, "rank" | "alpha">;

type Sizes = Pick<AdapterConfig, "rank" | "alpha" | "rankPattern" | "alphaPattern">;

/**
 * The size that PEFT gives the layer of a path, as its own model names it: the first pattern counts that the path ends with, from
 * a point on. @throws LlavaError "config" for a pattern that is no regular expression
 */
export function sizeOf(path: string, { rank, alpha, rankPattern, alphaPattern }: Sizes): AdapterSize {
  return {
    rank: matched("rank_pattern", rankPattern, path) ?? rank,
    alpha: matched("alpha_pattern", alphaPattern, path) ?? alpha,
  };
}

const matched = (field: string, pattern: Readonly<Record<string, number>>, path: string) =>
  Object.entries(pattern).find(([key]) => expression(field, key).test(path))?.[1];

function expression(field: string, key: string): RegExp {
  try {
    return new RegExp(`^(?:.*\\.)?(?:${key})$`);
  } catch (cause) {
    throw new LlavaError("config", `${field}: "${key}" is no regular expression`, {
      hint: "Write the paths of layers, or ends of them.",
      cause,
    });
  }
}

/** The size that most layers have, and by their paths those of the others. */
export function sizesIn(layers: ReadonlyMap<string, AdapterSize>): Sizes {
  const counts = new Map<string, number>();
  const key = ({ rank, alpha }: AdapterSize): string => `${rank} ${alpha}`;
  for (const size of layers.values()) counts.set(key(size), (counts.get(key(size)) ?? 0) + 1);
  const [most = ""] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  const [rank = 0, alpha = 0] = most.split(" ").map(Number);
  const others = (field: keyof AdapterSize, usual: number) =>
    Object.fromEntries(
      [...layers].flatMap(([path, size]) => (size[field] === usual ? [] : [[path, size[field]]])),
    );
  return { rank, alpha, rankPattern: others("rank", rank), alphaPattern: others("alpha", alpha) };
}
