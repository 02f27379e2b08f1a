import { mixSeed, permutation } from "../../random/index.ts";

export interface GroupedOrderOptions {
  readonly seed: number;
  readonly epoch: number;
  /** Items of a step, over all ranks. */
  readonly stepSize: number;
  readonly ranks: number;
  /** Kind of an item: a step holds one kind, but for the last steps. */
  readonly kindOf: (item: number) => string;
  readonly lengthOf: (item: number) => number;
  /** The items, where they are not each of 0 … count − 1 once. */
  readonly items?: readonly number[];
}

/**
 * The order of an epoch in which a step holds items of one kind, such as rows with images or without, as the original
 * code's group_by_modality_length: of each kind, a random order is cut into steps; a step is sorted by length, longest
 * first, and shared out to the ranks so that their sums are about equal; the steps follow each other at random, and what is left
 * of each kind comes last, together. Item i of a step goes to rank i mod `ranks`.
 */
export function groupedOrder(count: number, options: GroupedOrderOptions): Uint32Array {
  const { seed, epoch, stepSize, kindOf, items: given } = options;
  const drawn = Array.from(permutation(count, mixSeed(seed, epoch)), (place) => given?.[place] ?? place);
  const kinds = Map.groupBy(drawn, kindOf);
  const steps: number[][] = [];
  const rest: number[] = [];
  for (const [, items] of [...kinds].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const whole = items.length - (items.length % stepSize);
    for (let start = 0; start < whole; start += stepSize) steps.push(items.slice(start, start + stepSize));
    rest.push(...items.slice(whole));
  }
  const shuffled = Array.from(permutation(steps.length, mixSeed(seed, epoch, 1)), (step) => steps[step]!);
  for (let start = 0; start < rest.length; start += stepSize)
    shuffled.push(rest.slice(start, start + stepSize));
  return Uint32Array.from(shuffled.flatMap((step) => balanced(step, options)));
}

/** Longest first, each to the rank whose sum is smallest of those that still lack one. */
function balanced(step: readonly number[], { ranks, lengthOf }: GroupedOrderOptions): number[] {
  const longestFirst = step.toSorted((a, b) => lengthOf(b) - lengthOf(a));
  if (ranks === 1 || step.length % ranks !== 0) return longestFirst;
  const shares = Array.from({ length: ranks }, () => ({ items: [] as number[], sum: 0 }));
  for (const item of longestFirst) {
    const open = shares.filter(({ items }) => items.length < step.length / ranks);
    const share = open.reduce((best, other) => (other.sum < best.sum ? other : best));
    share.items.push(item);
    share.sum += lengthOf(item);
  }
  return step.map((_, place) => shares[place % ranks]!.items[Math.floor(place / ranks)]!);
}
