import { LlavaError } from "../../errors.ts";
import type { ImageProcessorConfig } from "./config.ts";
import { type FeatureMap, type FeatureMerge, joinTiles, type MapSize } from "./feature-map.ts";
import { type FrameMerge, pooledGrid } from "./frame-pooling.ts";
import type { ImageSize } from "./rgb.ts";
import { bestResolution } from "./tiles.ts";

/** How an image is cut into tiles, each of which the vision tower sees by itself. */
export type ImageLayout = WholeLayout | OverviewLayout | PaddedLayout | TiledLayout | FramesLayout;

/** One tile of all of it. */
interface WholeLayout {
  readonly tiles: "whole";
  /** Upright, in pixels, as the file's header says; undefined where nobody looked, as "whole" allows. */
  readonly size: ImageSize | undefined;
}

/** AnyRes without its tiles: the overview alone, squeezed into a square. */
interface OverviewLayout {
  readonly tiles: "overview";
  readonly size: ImageSize | undefined;
}

/** One of several images where only a single one is cut: on a square of the mean colour, with the newline behind its features. */
export interface PaddedLayout {
  readonly tiles: "padded";
  readonly size: ImageSize | undefined;
}

/** AnyRes: an overview of the whole image in one tile, then the tiles of a canvas that it fills along one side. */
export interface TiledLayout {
  readonly tiles: "anyres";
  readonly size: ImageSize;
  /** In pixels. */
  readonly canvas: ImageSize;
  /** Tiles of the canvas, which come row by row. */
  readonly grid: MapSize;
  readonly merge: FeatureMerge;
}

/** A video: each of its frames is a tile, whose features are pooled. */
export interface FramesLayout extends FrameMerge {
  readonly tiles: "frames";
  /** Of a frame, in pixels. */
  readonly size: ImageSize;
  readonly frames: number;
  /** When they show, in seconds, where the prompt tells it: see `timeSentence`. */
  readonly shown?: { readonly times: readonly number[]; readonly duration: number };
}

/** The feature rows that a vision tower makes of a tile. */
export interface FeatureGrid {
  readonly rows: number;
  readonly columns: number;
  /** Rows that are of no place in the tile: 1 where the class token is kept. */
  readonly extra: number;
}

/**
 * The layout of an image of a size, before its pixels are decoded.
 * @throws LlavaError "image" where the size is needed and not there
 */
export function layoutOf(
  size: ImageSize | undefined,
  { tiling }: Pick<ImageProcessorConfig, "tiling">,
): ImageLayout {
  if (tiling === undefined) return { tiles: "whole", size };
  if (size === undefined)
    throw new LlavaError("image", "how many tokens an image takes depends on its size, which is not known", {
      hint: "Say where the images are: this model cuts them into tiles (AnyRes).",
    });
  const canvas = bestResolution(size, tiling.resolutions);
  const grid = { rows: canvas.height / tiling.side, columns: canvas.width / tiling.side };
  return { tiles: "anyres", size, canvas, grid, merge: tiling.merge };
}

/** The layouts of the images of a prompt, in order. @param isLow whether of the one at an index the overview is enough. @throws as `layoutOf` */
export const layoutsOf = (
  sizes: readonly (ImageSize | undefined)[],
  config: Pick<ImageProcessorConfig, "tiling">,
  isLow: (index: number) => boolean = () => false,
): ImageLayout[] =>
  sizes.map((size, index) => {
    if (sizes.length > 1 && config.tiling?.several === "padded") return { tiles: "padded", size };
    if (config.tiling !== undefined && isLow(index)) return { tiles: "overview", size };
    return layoutOf(size, config);
  });

/** Feature rows of a tile. */
export const rowsOf = ({ rows, columns, extra }: FeatureGrid): number => rows * columns + extra;

/** Tiles that the vision tower sees of an image. */
export const tilesOf = (layout: ImageLayout): number =>
  layout.tiles === "anyres"
    ? 1 + layout.grid.rows * layout.grid.columns
    : layout.tiles === "frames"
      ? layout.frames
      : 1;

/** The joined map of an image's tiles, after their overview. */
export const mapOf = ({ grid, size, merge }: TiledLayout, tile: FeatureGrid): FeatureMap =>
  joinTiles(tile, grid, size, merge);

/** The tokens of an image, or of a video, by what they show. */
export interface TokenCounts {
  /** Of the image seen as one tile. */
  readonly overview: number;
  /** Of tiles, or of frames. */
  readonly tiles: number;
  readonly newlines: number;
}

export function tokenCountsOf(layout: ImageLayout, tile: FeatureGrid): TokenCounts {
  if (layout.tiles === "frames") {
    const { rows, columns } = pooledGrid(tile, layout.pooling);
    const newlines = { none: 0, video: 1, frame: layout.frames, grid: layout.frames * rows };
    return { overview: 0, tiles: layout.frames * rows * columns, newlines: newlines[layout.newlines] };
  }
  if (layout.tiles !== "anyres")
    return { overview: rowsOf(tile), tiles: 0, newlines: layout.tiles === "padded" ? 1 : 0 };
  const { final, newlines } = mapOf(layout, tile);
  return {
    overview: layout.merge.overview ? rowsOf(tile) : 0,
    tiles: final.rows * final.columns,
    newlines: newlines ? final.rows : 0,
  };
}

/** Tokens that an image takes in a prompt: the one place where they are counted. */
export function tokensOf(layout: ImageLayout, tile: FeatureGrid): number {
  const { overview, tiles, newlines } = tokenCountsOf(layout, tile);
  return overview + tiles + newlines;
}
