import { resolve } from "node:path";
import { foundRows } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import { imageFacts } from "../intake/image-facts.ts";
import type { PoolItem } from "../intake/item.ts";
import type { Kept } from "../kept.ts";
import type { LikenessIndex } from "../likeness/index.ts";
import { TextIndex, type TextOverlap } from "./text-overlap.ts";
import { wilsonInterval } from "./wilson.ts";

/** Rows that a model was trained on. */
export interface TrainingSet {
  readonly rows: string;
  /** What their image names are relative to; without it texts alone are compared. */
  readonly images?: string | undefined;
}

interface ImageOverlap {
  readonly item: string;
  /** The training image. */
  readonly image: string;
  readonly correlation: number;
  readonly isMirrored: boolean;
}

export interface Rate {
  readonly overlapping: number;
  readonly of: number;
  /** 95 %, by Wilson. */
  readonly interval: readonly [number, number];
}

export interface Contamination {
  readonly set: TrainingSet;
  readonly rows: number;
  readonly badRows: number;
  readonly images: number;
  /** Images that could not be read, with the first of them named. */
  readonly unreadable: number;
  readonly firstUnreadable?: string | undefined;
  readonly imageOverlaps: readonly ImageOverlap[];
  readonly textOverlaps: readonly TextOverlap[];
}

/** Training images that are compared at once. */
const blockSize = 256;

export interface CompareOptions {
  readonly items: readonly PoolItem[];
  /** Of the items' images, in their order. */
  readonly index: LikenessIndex;
  readonly kept: Kept;
  readonly signal: AbortSignal;
  readonly onImages?: ((count: number) => void) | undefined;
}

/** Compares a pool with a training set, image by image and turn by turn. Bad rows and images are counted. */
export async function compareWith(set: TrainingSet, options: CompareOptions): Promise<Contamination> {
  const { items, index, kept, signal } = options;
  const texts = new TextIndex(items);
  const imageOverlaps: ImageOverlap[] = [];
  const seen = new Set<string>();
  const problems: string[] = [];
  const waiting: { readonly image: string; readonly picture: Uint8Array }[] = [];
  let [rows, badRows] = [0, 0];
  const compare = (): void => {
    for (const { of, with: other, correlation, isMirrored } of index.among(
      waiting.map(({ picture }) => picture),
    ))
      imageOverlaps.push({ item: items[of]!.id, image: waiting[other]!.image, correlation, isMirrored });
    waiting.length = 0;
  };
  const look = async (image: string): Promise<void> => {
    seen.add(image);
    try {
      waiting.push({ image, picture: (await imageFacts(image, kept)).picture });
    } catch (error) {
      if (!(error instanceof LlavaError) || error.code !== "image") throw error;
      problems.push(error.message);
    }
    if (waiting.length >= blockSize) compare();
    options.onImages?.(seen.size);
  };
  for await (const batch of foundRows(set.rows))
    for (const found of batch) {
      if (signal.aborted)
        throw new LlavaError("aborted", "stopped; what was found out is kept", {
          hint: "The same command goes on from there.",
        });
      if ("error" in found) {
        badRows++;
        continue;
      }
      rows++;
      const { id, origin = id, conversations, images } = found.row;
      texts.add(
        origin,
        conversations.map(({ value }) => value.replaceAll("<image>", "")),
      );
      if (set.images === undefined) continue;
      for (const { name } of images) {
        const image = resolve(set.images, name);
        if (!seen.has(image)) await look(image);
      }
    }
  compare();
  if (rows === 0)
    throw new LlavaError("data", `${set.rows}: has no row that can be read`, {
      hint: "Training sets are rows as llava data check reads them.",
    });
  return {
    set,
    rows,
    badRows,
    images: seen.size,
    unreadable: problems.length,
    firstUnreadable: problems[0],
    imageOverlaps,
    textOverlaps: texts.overlaps(),
  };
}

/** How many of the items are among those that overlap. */
export function rateOf(ids: readonly string[], overlapping: ReadonlySet<string>): Rate {
  const hits = ids.filter((id) => overlapping.has(id)).length;
  return { overlapping: hits, of: ids.length, interval: wilsonInterval(hits, ids.length) };
}
