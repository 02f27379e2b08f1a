import { createHash } from "node:crypto";

/** Characters of a text that tell conversations apart well enough. */
const ENOUGH = 4096;

/**
 * What a request has in common with those whose images and beginnings it can share: its first image, else how it begins.
 * Later turns of a conversation have the affinity of the first.
 */
export function affinityOf(body: Readonly<Record<string, unknown>>): string {
  const { messages = body["input"], prompt, images } = body;
  const { multimodal_data } = (prompt ?? {}) as { readonly multimodal_data?: unknown };
  const image = firstImage(messages) ?? firstImage(images) ?? firstImage(multimodal_data);
  const begin = image ?? JSON.stringify(beginOf(messages ?? prompt) ?? null).slice(0, ENOUGH);
  return createHash("sha256").update(begin).digest("hex");
}

/** A conversation up to its first question. */
function beginOf(value: unknown): unknown {
  if (!Array.isArray(value)) return typeof value === "string" ? value.slice(0, ENOUGH) : value;
  const first = value.findIndex((message) => message?.role === "user");
  return value.slice(0, first < 0 ? 1 : first + 1);
}

function firstImage(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined;
  for (const each of value) {
    if (typeof each === "string") return each;
    const found = imageOf(each) ?? firstImage(each?.content);
    if (found !== undefined) return found;
  }
  return undefined;
}

function imageOf(part: { readonly [name: string]: unknown } | null): string | undefined {
  const { image_url: image, video_url: video } = part ?? {};
  const named = image ?? video;
  const url = typeof named === "object" && named !== null ? (named as { readonly url?: unknown }).url : named;
  return typeof url === "string" ? url : undefined;
}

/** The replicas of an affinity, best first: the same for the same replicas, and little changes where one comes or goes. */
export const byAffinity = <T extends { readonly index: number }>(
  replicas: readonly T[],
  affinity: string,
): T[] =>
  replicas
    .map((replica) => ({
      replica,
      weight: createHash("sha256").update(`${affinity} ${replica.index}`).digest("hex"),
    }))
    .sort((one, other) => (one.weight < other.weight ? 1 : -1))
    .map(({ replica }) => replica);
