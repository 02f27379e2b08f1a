import { mixSeed, permutation } from "../../random/index.ts";

/**
 * As many items as there are in all sets together, the same number from each, in the order of the sets: of a small one every
 * item several times, of a large one a part. Over the epochs the items of a set come equally often.
 */
export function evenDraw(
  sets: readonly (readonly number[])[],
  { seed, epoch }: { seed: number; epoch: number },
): number[] {
  const count = sets.reduce((sum, { length }) => sum + length, 0);
  const upTo = (set: number): number => Math.floor((set * count) / sets.length);
  return sets.flatMap((items, set) => {
    const share = upTo(set + 1) - upTo(set);
    const first = epoch * share;
    let pass = -1;
    let order: Uint32Array = new Uint32Array();
    return Array.from({ length: share }, (_, i) => {
      const at = first + i;
      const wanted = Math.floor(at / items.length);
      if (wanted !== pass) {
        pass = wanted;
        order = permutation(items.length, mixSeed(seed, set, pass));
      }
      return items[order[at % items.length]!]!;
    });
  });
}
