import { pictureSide } from "./picture.ts";

/** Parts of an image's width and height that a cut copy may show. */
const shares = [1, 0.9, 0.8, 0.7, 0.6];
/** Side of the pictures that the search begins with. */
const coarseSide = 24;
/** Below this at the coarse size no place is worth a closer look. */
const coarseLikeness = 0.75;

interface Place {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly likeness: number;
}

/**
 * How well one of two 64×64 grey pictures lies over the other, or over a part of it from 0.6 of each side on: the largest
 * correlation, from -1 to 1.
 */
export function alignedLikeness(a: Float32Array, b: Float32Array): number {
  return Math.max(likenessOfPart(a, b), likenessOfPart(b, a));
}

/** The largest correlation of `part` with a piece of `whole`. */
function likenessOfPart(whole: Float32Array, part: Float32Array): number {
  const coarse = scaled(whole, pictureSide, coarseSide, coarseSide);
  let best: Place | undefined;
  for (const x of shares)
    for (const y of shares) {
      const [width, height] = [Math.round(x * coarseSide), Math.round(y * coarseSide)];
      const template = normalised(scaled(part, pictureSide, width, height));
      for (let top = 0; top + height <= coarseSide; top++)
        for (let left = 0; left + width <= coarseSide; left++) {
          const likeness = correlation(coarse, coarseSide, template, { left, top, width, height });
          if (likeness > (best?.likeness ?? coarseLikeness)) best = { width, height, left, top, likeness };
        }
    }
  return best === undefined ? -1 : refined(whole, part, best);
}

/** The same at full size, around a coarse place. */
function refined(whole: Float32Array, part: Float32Array, near: Place): number {
  const scale = pictureSide / coarseSide;
  let best = -1;
  const around = (size: number): number[] =>
    [-2, 0, 2].map((by) => Math.min(pictureSide, Math.round(size * scale) + by));
  for (const width of new Set(around(near.width)))
    for (const height of new Set(around(near.height))) {
      const template = normalised(scaled(part, pictureSide, width, height));
      const middle = (start: number, size: number): number => (start + size / 2) * scale;
      const left0 = Math.round(middle(near.left, near.width) - width / 2);
      const top0 = Math.round(middle(near.top, near.height) - height / 2);
      for (let top = Math.max(0, top0 - 2); top <= Math.min(pictureSide - height, top0 + 2); top++)
        for (let left = Math.max(0, left0 - 2); left <= Math.min(pictureSide - width, left0 + 2); left++)
          best = Math.max(best, correlation(whole, pictureSide, template, { left, top, width, height }));
    }
  return best;
}

interface Piece {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Of a piece of greys with a template of mean 0 and length 1. */
function correlation(greys: Float32Array, side: number, template: Float32Array, piece: Piece): number {
  const { left, top, width, height } = piece;
  let [product, sum, squares, at] = [0, 0, 0, 0];
  for (let y = top; y < top + height; y++)
    for (let x = y * side + left, end = x + width; x < end; x++) {
      const value = greys[x]!;
      product += value * template[at++]!;
      sum += value;
      squares += value * value;
    }
  const spread = squares - (sum * sum) / (width * height);
  return spread <= 1e-6 ? 0 : product / Math.sqrt(spread);
}

function normalised(values: Float32Array): Float32Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const length = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0));
  return length === 0 ? values.fill(0) : values.map((value) => (value - mean) / length);
}

/** A square picture made smaller, each new place the mean of those under it. */
function scaled(picture: Float32Array, side: number, width: number, height: number): Float32Array {
  const across = averaged(picture, side, side, width);
  return turned(averaged(turned(across, width, side), side, width, height), height, width);
}

/** Rows of `length` made `size` long. */
function averaged(values: Float32Array, length: number, rows: number, size: number): Float32Array {
  if (size === length) return values;
  const out = new Float32Array(rows * size);
  const scale = length / size;
  for (let to = 0; to < size; to++) {
    const [start, end] = [to * scale, (to + 1) * scale];
    for (let from = Math.floor(start); from < end; from++) {
      const share = (Math.min(end, from + 1) - Math.max(start, from)) / scale;
      for (let row = 0; row < rows; row++)
        out[row * size + to] = out[row * size + to]! + share * values[row * length + from]!;
    }
  }
  return out;
}

/** Rows and columns change places. */
function turned(values: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[x * height + y] = values[y * width + x]!;
  return out;
}
