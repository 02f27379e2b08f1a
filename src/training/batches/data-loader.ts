import type { RowDealer, RowGroup } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { BatchSource } from "../objectives/objective.ts";
import type { RowBatcher } from "./collator.ts";
import type { RowBatch } from "./row-batch.ts";

export interface RowSourceOptions {
  readonly dealer: RowDealer;
  readonly batcher: RowBatcher;
  /** Micro-batches that a step is computed in. */
  readonly accumulation: number;
}

/**
 * Makes batches of the rows that a dealer deals. Where other threads load images, a step is dealt ahead, so that its images
 * are there when the step before it is computed; batches and state are those of dealing one after the other.
 */
export class RowSource implements BatchSource<RowBatch> {
  readonly #options: RowSourceOptions;
  /** Steps that are dealt but not given out, each with the dealer's state before it. */
  readonly #dealt: { readonly before: unknown; readonly groups: readonly RowGroup[] }[] = [];

  constructor(options: RowSourceOptions) {
    this.#options = options;
  }

  get stepsPerEpoch(): number {
    return this.#options.dealer.stepsPerEpoch;
  }

  get state(): unknown {
    return this.#dealt[0]?.before ?? this.#options.dealer.state;
  }
  set state(state: unknown) {
    this.#dealt.length = 0;
    this.#options.dealer.state = state;
  }

  async next(): Promise<RowBatch[]> {
    const { batcher, accumulation } = this.#options;
    await this.#deal(batcher.isBackground ? 2 : 1);
    const { groups } = this.#dealt.shift()!;
    const size = Math.ceil(groups.length / accumulation);
    const batches: RowBatch[] = [];
    for (let start = 0; start < groups.length; start += size) {
      const batch = await batcher.batch(groups.slice(start, start + size));
      if (batch) batches.push(batch);
    }
    if (batches.length > 0) return batches;
    throw new LlavaError("data", `no row of a whole step can be used, ${groups[0]!.rows[0]!.id} for example`);
  }

  async #deal(steps: number): Promise<void> {
    const { dealer, batcher } = this.#options;
    while (this.#dealt.length < steps) {
      const before = dealer.state;
      const groups = await dealer.deal();
      if (batcher.isBackground) batcher.prefetch(groups);
      this.#dealt.push({ before, groups });
    }
  }
}
