import { LlavaError } from "../errors.ts";

/** The four 32-bit words of a `RandomSource`, as JSON-friendly numbers. */
export type RandomState = readonly [number, number, number, number];

const word = 2 ** 32;
const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/**
 * Uniform random numbers by xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators",
 * 2021), seeded by SplitMix64 as its authors advise. Integer arithmetic only: every machine draws the same numbers.
 */
export class RandomSource {
  readonly #words = new Uint32Array(4);

  /** @param seed a whole number of 0 to 2^53 − 1, or an earlier source's `state` to go on from */
  constructor(seed: number | RandomState) {
    if (typeof seed !== "number") this.#words.set(seed);
    else this.#words.set(expandSeed(seed));
  }

  get state(): RandomState {
    const [a, b, c, d] = this.#words;
    return [a!, b!, c!, d!];
  }

  /** A whole number of 0 to 2^32 − 1. */
  nextWord(): number {
    const words = this.#words;
    const [a, b, c, d] = words as unknown as RandomState;
    words[2] = c ^ a;
    words[3] = d ^ b;
    words[1] = b ^ words[2]!;
    words[0] = a ^ words[3]!;
    words[2]! ^= b << 9;
    words[3] = rotate(words[3]!, 11);
    return Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
  }

  /** A number in [0, 1) with all 53 bits random. */
  next(): number {
    const high = this.nextWord() >>> 5;
    const low = this.nextWord() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }
}

/** 128 bits from one number: two outputs of SplitMix64, low words first. */
function expandSeed(seed: number): number[] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new LlavaError("usage", `a seed is a whole number of 0 to 2^53 − 1, got ${seed}`);
  }
  let state = BigInt(seed);
  return [0, 1].flatMap(() => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    mixed ^= mixed >> 31n;
    return [Number(mixed % BigInt(word)), Number(mixed / BigInt(word))];
  });
}
