import { LlavaError } from "../../errors.ts";
import { mixSeed, permutation } from "../../random/index.ts";

/** Where in which pass over the data a run is. */
export interface SamplerState {
  readonly seed: number;
  /** Items of an epoch. */
  readonly count: number;
  readonly epoch: number;
  /** Items of this epoch already drawn. */
  readonly position: number;
}

export interface DrawnItem {
  readonly index: number;
  readonly epoch: number;
}

/** The order of an epoch: as many item numbers as there are, each once unless a mixture is evened out. */
export type EpochOrder = (epoch: number) => Uint32Array;

/** Draws item numbers, each once an epoch, in an order that depends on the seed and the epoch alone. */
export class EpochSampler {
  readonly count: number;
  readonly seed: number;
  #epoch = 0;
  #position = 0;
  readonly #orderOf: EpochOrder;
  #order: Uint32Array;

  /** Without `orderOf`, every order is equally likely. */
  constructor(
    count: number,
    seed: number,
    orderOf: EpochOrder = (epoch) => permutation(count, mixSeed(seed, epoch)),
  ) {
    if (count < 1)
      throw new LlavaError("data", "there is nothing to train on: no usable rows", {
        hint: "Look at why rows are skipped.",
      });
    this.count = count;
    this.seed = seed;
    this.#orderOf = orderOf;
    this.#order = orderOf(0);
  }

  /** The next items; a draw may reach into the next epoch. */
  draw(amount: number): DrawnItem[] {
    return Array.from({ length: amount }, () => {
      if (this.#position === this.count) this.#enter(this.#epoch + 1, 0);
      return { index: this.#order[this.#position++]!, epoch: this.#epoch };
    });
  }

  get state(): SamplerState {
    return { seed: this.seed, count: this.count, epoch: this.#epoch, position: this.#position };
  }

  set state({ seed, count, epoch, position }: SamplerState) {
    if (seed !== this.seed || count !== this.count)
      throw new LlavaError(
        "checkpoint",
        `the run drew from ${count} items with seed ${seed}; here are ${this.count} items, and the seed is ${this.seed}`,
        { hint: "Resume with the data and the seed that the run was started with." },
      );
    this.#enter(epoch, position);
  }

  #enter(epoch: number, position: number): void {
    this.#epoch = epoch;
    this.#position = position;
    this.#order = this.#orderOf(epoch);
  }
}
