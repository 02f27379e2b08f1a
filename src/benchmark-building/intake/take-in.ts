import { LlavaError } from "../../errors.ts";
import { sha256 } from "../../files/index.ts";
import type { Kept } from "../kept.ts";
import { normalisedText } from "../text.ts";
import { imageFacts } from "./image-facts.ts";
import type { Offered, PoolItem, Refusal } from "./item.ts";
import type { ReadOffer } from "./read-pool.ts";

/** The least side of an image that a question can be about. */
const leastSide = 64;

export interface Refused extends Offered {
  readonly refusal: Refusal;
  /** What is wrong with the image. */
  readonly problem?: string;
}

export interface Pool {
  /** In the order in which they were offered. */
  readonly items: readonly PoolItem[];
  readonly refused: readonly Refused[];
}

/** Looks at every image that is offered. */
export async function takeIn(
  offers: AsyncIterable<ReadOffer>,
  kept: Kept,
  { signal, onItem }: { readonly signal: AbortSignal; readonly onItem?: (count: number) => void },
): Promise<Pool> {
  const items: PoolItem[] = [];
  const refused: Refused[] = [];
  const ids = new Set<string>();
  for await (const { refusal, ...offer } of offers) {
    if (signal.aborted)
      throw new LlavaError("aborted", "stopped; what was found out is kept", {
        hint: "The same command goes on from there.",
      });
    const found = refusal ?? (await looked(offer, kept));
    if (typeof found === "string") refused.push({ ...offer, refusal: found });
    else if ("problem" in found) refused.push({ ...offer, refusal: "unreadable", problem: found.problem });
    else if (ids.has(found.id)) refused.push({ ...offer, refusal: "repeated" });
    else {
      ids.add(found.id);
      items.push(found);
    }
    onItem?.(items.length + refused.length);
  }
  return { items, refused };
}

async function looked(
  offer: Offered,
  kept: Kept,
): Promise<PoolItem | Refusal | { readonly problem: string }> {
  try {
    const { picture: _, ...facts } = await imageFacts(offer.image, kept);
    if (Math.min(facts.width, facts.height) < leastSide) return "too-small";
    const id = sha256(`${facts.file} ${normalisedText(offer.question)}`).slice(0, 16);
    return { ...offer, ...facts, id };
  } catch (error) {
    if (error instanceof LlavaError && error.code === "image") return { problem: error.message };
    throw error;
  }
}
