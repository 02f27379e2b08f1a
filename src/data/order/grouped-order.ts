import { mixSeed, permutation } from "../../random/index.ts";

export interface GroupedOrderOptions {
  readonly seed: number;
  readonly epoch: number;
  /** Items of a step, over all ranks. */
  readonly stepSize: number;
  /** Kind of an item: a step holds one kind, but for the last steps. */
  readonly kindOf: (item: number) => string;
  readonly lengthOf: (item: number) => number;
  /** The items, where they are not each of 0 … count − 1 once. */
  readonly items?: readonly number[];
}

/**
 * The order of an epoch in which a step holds items of one kind, such as rows with images or without, as the original
 * code's group_by_modality_length: of each kind, a random order is cut into steps; a step is sorted by length, longest
 * first; the steps follow each other at random, and what is left of each kind comes last, together.
 */
export function groupedOrder(count: number, options: GroupedOrderOptions): Uint32Array {
  const { seed, epoch, stepSize, kindOf, lengthOf, items: given } = options;
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
  return Uint32Array.from(shuffled.flatMap((step) => step.toSorted((a, b) => lengthOf(b) - lengthOf(a))));
}
