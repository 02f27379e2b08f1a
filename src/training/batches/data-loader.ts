import type { BatchSampler, RowGroup } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { BatchSource } from "../objectives/objective.ts";
import type { Collator } from "./collator.ts";
import type { RowBatch } from "./row-batch.ts";

export interface DataLoaderOptions {
  readonly sampler: BatchSampler;
  readonly collator: Collator;
  /** Micro-batches that a step is computed in. */
  readonly accumulation: number;
  /** Processes that share each step: one's part may be empty. */
  readonly ranks?: number;
  /** Whether a step is loaded while the one before it is computed. */
  readonly prefetches: boolean;
}

/**
 * Makes batches of the rows that a sampler draws. Where it prefetches, a step is drawn ahead; batches and state are those of
 * drawing one after the other.
 */
export class DataLoader implements BatchSource<RowBatch> {
  readonly #options: DataLoaderOptions;
  /** Steps that are drawn but not given out, each with the sampler's state before it. */
  readonly #drawn: { readonly before: unknown; readonly groups: readonly RowGroup[] }[] = [];

  constructor(options: DataLoaderOptions) {
    this.#options = options;
  }

  get stepsPerEpoch(): number {
    return this.#options.sampler.stepsPerEpoch;
  }

  get state(): unknown {
    return this.#drawn[0]?.before ?? this.#options.sampler.state;
  }
  set state(state: unknown) {
    this.#drawn.length = 0;
    this.#options.collator.forget();
    this.#options.sampler.state = state;
  }

  async next(): Promise<RowBatch[]> {
    const { collator, accumulation, prefetches, ranks = 1 } = this.#options;
    await this.#draw(prefetches ? 2 : 1);
    const { groups } = this.#drawn.shift()!;
    const size = Math.ceil(groups.length / accumulation);
    const batches: RowBatch[] = [];
    for (let start = 0; start < groups.length; start += size) {
      const batch = await collator.batch(groups.slice(start, start + size));
      if (batch) batches.push(batch);
    }
    if (batches.length > 0 || ranks > 1) return batches;
    throw new LlavaError("data", `no row of a whole step can be used, ${groups[0]!.rows[0]!.id} for example`);
  }

  async #draw(steps: number): Promise<void> {
    const { sampler, collator } = this.#options;
    while (this.#drawn.length < steps) {
      const before = sampler.state;
      const groups = await sampler.next();
      collator.prefetch(groups);
      this.#drawn.push({ before, groups });
    }
  }
}
