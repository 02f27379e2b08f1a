import { mixSeed, permutation } from "../../random/index.ts";

/**
 * Rows about the same image in groups of at most `size`, so that a step computes its image's tokens once for all of
 * them; rows without an image, or with several, stand alone. Which rows meet depends on the epoch; the number of groups
 * does not.
 */
export class ImageGroups {
  readonly #members: readonly (readonly number[])[];
  readonly #size: number;
  readonly #groups: { image: number; part: number }[];

  /** `imageOf` names the only image of a row. */
  constructor(rows: number, imageOf: (row: number) => string | undefined, size: number) {
    const byImage = new Map<string, number[]>();
    const members: number[][] = [];
    for (let row = 0; row < rows; row++) {
      const image = imageOf(row);
      const known = image === undefined ? undefined : byImage.get(image);
      if (known) {
        known.push(row);
        continue;
      }
      const group = [row];
      members.push(group);
      if (image !== undefined) byImage.set(image, group);
    }
    this.#members = members;
    this.#size = size;
    this.#groups = members.flatMap((of, image) =>
      Array.from({ length: Math.ceil(of.length / size) }, (_, part) => ({ image, part })),
    );
  }

  get count(): number {
    return this.#groups.length;
  }

  /** Row numbers. */
  at(index: number, epoch: number, seed: number): number[] {
    const { image, part } = this.#groups[index]!;
    const members = this.#members[image]!;
    const order = permutation(members.length, mixSeed(seed, epoch, image));
    return Array.from(order.subarray(part * this.#size, (part + 1) * this.#size), (i) => members[i]!);
  }
}
