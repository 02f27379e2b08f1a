import { LlavaError } from "../errors.ts";
import { sha256 } from "../files/index.ts";
import { type DuplicateGroup, duplicateGroups } from "./choosing/near-duplicates.ts";
import { joined } from "./choosing/points.ts";
import type { Points } from "./choosing/weighted-k-means.ts";
import { type Contamination, compareWith, type TrainingSet } from "./contamination/decontaminate.ts";
import type { Embedder } from "./embedding/embedder.ts";
import { imageFacts } from "./intake/image-facts.ts";
import type { PoolItem } from "./intake/item.ts";
import { readPool } from "./intake/read-pool.ts";
import { type Refused, takeIn } from "./intake/take-in.ts";
import type { Kept } from "./kept.ts";
import { type Alike, LikenessIndex, signatureOf, usualLimits } from "./likeness/index.ts";
import { type Flag, type ImageScreen, screen } from "./screening/screen.ts";

export interface SurveyOptions {
  /** JSON lines, or a folder. */
  readonly pool: string;
  /** What image names in JSON lines are relative to; their own folder if left out. */
  readonly images?: string | undefined;
  readonly kept: Kept;
  readonly embedder: Embedder;
  /** How much images count beside texts, from 0 to 1. */
  readonly imageShare: number;
  readonly training: readonly TrainingSet[];
  readonly screens: readonly ImageScreen[];
  /** Whether questions with grave flags are left to reviewers; otherwise they are left out. */
  readonly reviewsFlagged: boolean;
  readonly signal: AbortSignal;
  /** Told how far a step is; the total where it is known. */
  readonly onStep?: ((step: string, done: number, total?: number) => void) | undefined;
}

/** All that is known of a pool before questions are chosen from it. */
export interface Survey {
  readonly offered: number;
  readonly refused: readonly Refused[];
  /** All that were taken in. */
  readonly taken: readonly PoolItem[];
  readonly flags: ReadonlyMap<string, readonly Flag[]>;
  /** Images of those taken in that are alike, by place. */
  readonly alike: readonly Alike[];
  readonly duplicates: readonly DuplicateGroup[];
  /** Those left to choose from, and their points. */
  readonly candidates: readonly PoolItem[];
  readonly points: Points;
  readonly contamination: readonly Contamination[];
  /** Candidates that a training set has, by id. */
  readonly contaminated: ReadonlySet<string>;
}

/** Takes a pool in, screens it, embeds it, and finds what it has twice and what training sets have too. */
export async function survey(options: SurveyOptions): Promise<Survey> {
  const { kept, embedder, signal, onStep, reviewsFlagged } = options;
  const step = (name: string, total?: number) => (done: number) => onStep?.(name, done, total);
  const { items: taken, refused } = await takeIn(readPool(options.pool, options.images), kept, {
    signal,
    onItem: step("images"),
  });
  const flags = await screen(taken, options.screens, step("screening", taken.length));
  const pictures: Uint8Array[] = [];
  for (const { image } of taken) pictures.push((await imageFacts(image, kept)).picture);
  const signatures = pictures.map((picture, place) => {
    step("signatures", taken.length)(place + 1);
    return signatureOf(picture);
  });
  using index = new LikenessIndex(signatures, (place) => pictures[place]!);
  const alike = alikeWithin(index, taken, kept);
  const texts = await embedder.texts(
    taken.map(({ question }) => question),
    signal,
  );
  const duplicates = duplicateGroups(taken, alike, texts);
  const dropped = new Set(duplicates.flatMap((group) => group.dropped));
  const isOut = ({ id }: PoolItem): boolean =>
    dropped.has(id) || (!reviewsFlagged && (flags.get(id)?.some(({ isGrave }) => isGrave) ?? false));
  const places = [...taken.keys()].filter((place) => !isOut(taken[place]!));
  const candidates = places.map((place) => taken[place]!);
  if (candidates.length === 0)
    throw new LlavaError(
      "data",
      `${options.pool}: of ${taken.length + refused.length} questions none is left`,
      {
        hint: `Not taken in: ${refused.length}; flagged: ${flags.size}; duplicates: ${dropped.size}.`,
      },
    );
  const contamination: Contamination[] = [];
  for (const set of options.training)
    contamination.push(
      await compareWith(set, {
        items: taken,
        index,
        kept,
        signal,
        onImages: step(`training images of ${set.rows}`),
      }),
    );
  const images = await embedder.images(
    places.map((place) => ({ ...taken[place]!, signature: signatures[place]! })),
    signal,
  );
  const overlapping = contamination.flatMap(({ imageOverlaps, textOverlaps }) => [
    ...imageOverlaps,
    ...textOverlaps,
  ]);
  return {
    offered: taken.length + refused.length,
    refused,
    taken,
    flags,
    alike,
    duplicates,
    candidates,
    points: joined(
      images,
      places.map((place) => texts[place]!),
      options.imageShare,
    ),
    contamination,
    contaminated: new Set(overlapping.map(({ item }) => item)),
  };
}

/** Found out anew only where an image or a limit has changed. */
function alikeWithin(index: LikenessIndex, items: readonly PoolItem[], kept: Kept): readonly Alike[] {
  const key = sha256(JSON.stringify([usualLimits, items.map(({ pixels }) => pixels)]));
  const known = kept.get("alike", key);
  if (known !== undefined) return JSON.parse(Buffer.from(known).toString()) as Alike[];
  const alike = index.within();
  kept.put("alike", key, Buffer.from(JSON.stringify(alike)));
  return alike;
}
