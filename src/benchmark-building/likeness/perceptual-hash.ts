import { pictureSide } from "./picture.ts";

/** Two words of 32 bits. */
export type Hash = readonly [number, number];

/** Side of the grey image that is transformed, and of the corner of low frequencies that decides. */
const side = 32;
const kept = 8;

const basis = Float64Array.from({ length: kept * side }, (_, at) =>
  Math.cos((Math.PI / side) * ((at % side) + 0.5) * Math.floor(at / side)),
);

/**
 * The perceptual hash of 64×64 greys: of each of the 64 lowest frequencies of the cosine transform of half their size, whether
 * it is above the median.
 */
export function perceptualHash(greys: Float32Array): Hash {
  const grey = halved(greys);
  const rows = new Float64Array(kept * side);
  for (let v = 0; v < kept; v++)
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let y = 0; y < side; y++) sum += basis[v * side + y]! * grey[y * side + x]!;
      rows[v * side + x] = sum;
    }
  const values = Array.from({ length: kept * kept }, (_, at) => {
    let sum = 0;
    for (let x = 0; x < side; x++)
      sum += basis[(at % kept) * side + x]! * rows[Math.floor(at / kept) * side + x]!;
    return sum;
  });
  const median = values.toSorted((a, b) => a - b)[32]!;
  const word = (from: number): number =>
    values
      .slice(from, from + 32)
      .reduce((bits, value, bit) => (value > median ? bits | (1 << bit) : bits), 0) >>> 0;
  return [word(0), word(32)];
}

/** Bits in which two hashes differ. */
export const hashDistance = (a: Hash, b: Hash): number => bitsOf(a[0] ^ b[0]) + bitsOf(a[1] ^ b[1]);

function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

function halved(grey: Float32Array): Float32Array {
  return Float32Array.from({ length: side * side }, (_, at) => {
    const from = 2 * Math.floor(at / side) * pictureSide + 2 * (at % side);
    return (grey[from]! + grey[from + 1]! + grey[from + pictureSide]! + grey[from + pictureSide + 1]!) / 4;
  });
}
