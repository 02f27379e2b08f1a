import {
  type ImageLayout,
  type ImageSize,
  type MapSize,
  mapOf,
  type TokenCounts,
  tokenCountsOf,
  tokensOf,
} from "../../../processing/image/index.ts";
import type { OpenedMedium, Processor } from "../../../processing/processor/index.ts";

type SeenMedium = Extract<OpenedMedium, { video: unknown }>;

/** What an image takes of a model's context. */
export interface ImageAccount {
  readonly name: string;
  readonly size: ImageSize;
  readonly layout: ImageLayout;
  /** Rows and columns of features that show the image, before they are pooled or shrunk; absent where it is seen whole. */
  readonly kept?: MapSize;
  readonly counts: TokenCounts;
  readonly tokens: number;
}

/** What a video takes of a model's context. */
export interface VideoAccount extends Omit<ImageAccount, "kept"> {
  /** Of all frames, those that are seen. */
  readonly indices: readonly number[];
  /** In seconds. */
  readonly times: readonly number[];
  readonly frames: number;
  readonly framesPerSecond: number;
  readonly tokensPerFrame: number;
}

export interface TokenAccount {
  readonly images: readonly ImageAccount[];
  readonly videos: readonly VideoAccount[];
  readonly total: number;
  readonly contextLength: number;
  /** What is left of the context for text; negative where the images alone are too many. */
  readonly left: number;
}

/** @param together whether the images are of one prompt; else each is the only one of its own */
export function accountOf(
  named: readonly { readonly name: string; readonly size: ImageSize }[],
  processor: Pick<Processor, "layoutsOf" | "grid" | "contextLength" | "trainedLength">,
  {
    videos: seen = [],
    ropeFactor,
    together,
  }: {
    readonly together: boolean;
    readonly videos?: readonly SeenMedium[];
    readonly ropeFactor?: number | undefined;
  },
): TokenAccount {
  const { grid } = processor;
  const contextLength =
    ropeFactor === undefined ? processor.contextLength : Math.floor(processor.trainedLength * ropeFactor);
  const videos = seen.map(({ video, sampled, layout }): VideoAccount => {
    const counts = tokenCountsOf(layout, grid);
    return {
      name: video.where,
      size: video.size,
      layout,
      counts,
      tokens: tokensOf(layout, grid),
      indices: sampled.indices,
      times: sampled.times,
      frames: video.times.length,
      framesPerSecond: video.rate,
      tokensPerFrame: counts.tiles / sampled.indices.length,
    };
  });
  const sizes = named.map(({ size }) => size);
  const layouts = together
    ? processor.layoutsOf(sizes)
    : sizes.flatMap((size) => processor.layoutsOf([size]));
  const images = named.map(({ name, size }, at): ImageAccount => {
    const layout = layouts[at]!;
    const map = layout.tiles === "anyres" ? mapOf(layout, grid) : undefined;
    const kept = map && { rows: map.kept.rows, columns: map.kept.columns };
    return {
      name,
      size,
      layout,
      ...(kept && { kept }),
      counts: tokenCountsOf(layout, grid),
      tokens: tokensOf(layout, grid),
    };
  });
  const total = [...images, ...videos].reduce((sum, { tokens }) => sum + tokens, 0);
  return { images, videos, total, contextLength, left: contextLength - total };
}
