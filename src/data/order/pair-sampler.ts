import { sidesOf } from "../../protocol/index.ts";
import type { BatchSampler, RowGroup } from "./batch-sampler.ts";

/** Both sides of a row that is a pair; of another the row alone, which is then known to be none. */
export const pairGroup = (row: RowGroup["rows"][number], mirrored = false): RowGroup => ({
  rows: sidesOf(row),
  mirrored,
  isPair: true,
});

/** Draws rows as another sampler does, each as a pair. */
export class PairSampler implements BatchSampler {
  readonly #rows: BatchSampler;

  constructor(rows: BatchSampler) {
    this.#rows = rows;
  }

  get stepsPerEpoch(): number {
    return this.#rows.stepsPerEpoch;
  }

  get state(): unknown {
    return this.#rows.state;
  }
  set state(state: unknown) {
    this.#rows.state = state;
  }

  async next(): Promise<RowGroup[]> {
    const groups = await this.#rows.next();
    return groups.flatMap(({ rows, mirrored }) => rows.map((row) => pairGroup(row, mirrored)));
  }
}
