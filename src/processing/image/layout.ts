import type { ImageProcessorConfig } from "./config.ts";

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** How an image is cut into tiles, each of which the vision tower sees by itself. */
export interface ImageLayout {
  /** "whole": one tile of all of it. */
  readonly tiles: "whole";
  /** Upright, in pixels, as the file's header says; undefined where nobody looked, as "whole" allows. */
  readonly size: ImageSize | undefined;
}

/** The feature rows that a vision tower makes of a tile. */
export interface FeatureGrid {
  readonly rows: number;
  readonly columns: number;
  /** Rows that are of no place in the tile: 1 where the class token is kept. */
  readonly extra: number;
}

/** The layout of an image of a size, before its pixels are decoded. */
export const layoutOf = (size: ImageSize | undefined, _: ImageProcessorConfig): ImageLayout => ({
  tiles: "whole",
  size,
});

/** Feature rows of a tile. */
export const rowsOf = ({ rows, columns, extra }: FeatureGrid): number => rows * columns + extra;

/** Tokens that an image takes in a prompt: the one place where they are counted. */
export const tokensOf = (_: ImageLayout, grid: FeatureGrid): number => rowsOf(grid);
