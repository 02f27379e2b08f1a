import type { ImageSize } from "./rgb.ts";

/** What becomes of the features of an image's tiles (`mm_patch_merge_type` and the number in `anyres_max_N`). */
export interface FeatureMerge {
  /**
   * "flat": tile after tile. The others join the tiles to one map and read it row by row: "spatial" all of it, "unpad" what
   * shows the image, with the newline after each row, "maxpool2x2" the largest of two by two.
   */
  readonly order: "flat" | "spatial" | "unpad" | "maxpool2x2";
  /** Whether the features of the whole image, seen as one tile, come before those of the tiles. */
  readonly overview: boolean;
  /** With "unpad", a map larger than so many tiles is shrunk to about their number. */
  readonly mostTiles?: number;
  /** How the original code and transformers make a whole number of rows or columns out of what shows the image. */
  readonly rounding: "truncate" | "round";
}

/** Rows and columns of a map of features. */
export interface MapSize {
  readonly rows: number;
  readonly columns: number;
}

/** The joined features of an image's tiles. */
export interface FeatureMap {
  /** Of all tiles. */
  readonly joined: MapSize;
  /** What is kept of them. */
  readonly kept: MapSize & { readonly top: number; readonly left: number };
  /** What it is pooled or shrunk to; the same as `kept` where it is not. */
  readonly final: MapSize;
  /** Whether the newline follows each row. */
  readonly newlines: boolean;
}

/** Shrinking by less than this is left out. */
const LEAST_SHRINKING = 1.1;

/** `tile` is the map of a tile, `grid` the number of tiles down and across, `size` the image's in pixels. */
export function joinTiles(tile: MapSize, grid: MapSize, size: ImageSize, merge: FeatureMerge): FeatureMap {
  const joined = { rows: grid.rows * tile.rows, columns: grid.columns * tile.columns };
  const kept = merge.order === "unpad" ? shownPart(joined, size, merge) : { top: 0, left: 0, ...joined };
  return { joined, kept, final: finalSize(kept, tile, merge), newlines: merge.order === "unpad" };
}

/** The part of a map that shows the image and not the bars beside it; it may be one wider than the image, and of no width. */
function shownPart(
  joined: MapSize,
  { width, height }: ImageSize,
  { rounding }: FeatureMerge,
): FeatureMap["kept"] {
  const { rows, columns } = joined;
  const whole = rounding === "round" ? roundedDown : Math.trunc;
  if (width / height > columns / rows) {
    const top = Math.floor((rows - whole(height * (columns / width))) / 2);
    return { top, left: 0, rows: rows - 2 * top, columns };
  }
  const left = Math.floor((columns - whole(width * (rows / height))) / 2);
  return { top: 0, left, rows, columns: columns - 2 * left };
}

/** Down to a whole number, after Python's `round(x, 7)`. */
const roundedDown = (value: number): number => Math.trunc(Number(value.toFixed(7)));

function finalSize({ rows, columns }: MapSize, tile: MapSize, { order, mostTiles }: FeatureMerge): MapSize {
  if (order === "maxpool2x2") return { rows: Math.floor(rows / 2), columns: Math.floor(columns / 2) };
  if (order !== "unpad" || mostTiles === undefined) return { rows, columns };
  const times = Math.sqrt((rows * columns) / (mostTiles * tile.rows ** 2));
  if (times <= LEAST_SHRINKING) return { rows, columns };
  return { rows: Math.floor(rows / times), columns: Math.floor(columns / times) };
}
