import { mulberry32 } from "./mulberry32.ts";

/** Puts a list into random order, in its place (Fisher–Yates). */
function shuffle<Items extends { [index: number]: unknown; readonly length: number }>(
  items: Items,
  random: () => number,
): Items {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
  return items;
}

/** A new list in random order. */
export const shuffled = <T>(items: readonly T[], random: () => number): T[] => shuffle([...items], random);

/** 0 … count − 1 in an order that the seed decides. */
export const permutation = (count: number, seed: number): Uint32Array =>
  shuffle(
    Uint32Array.from({ length: count }, (_, i) => i),
    mulberry32(seed),
  );

export const pick = <T>(items: readonly T[], random: () => number): T =>
  items[Math.floor(random() * items.length)]!;
