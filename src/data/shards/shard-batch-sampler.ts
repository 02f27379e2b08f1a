import { LlavaError } from "../../errors.ts";
import { conversationOfRow } from "../../processing/processor/index.ts";
import type { LlavaRow } from "../../protocol/index.ts";
import { mixSeed, mulberry32, permutation } from "../../random/index.ts";
import { type BatchSampler, partOf, type Rank, type RowGroup } from "../order/batch-sampler.ts";
import { datasetRows } from "../rows/dataset-rows.ts";
import type { Dataset } from "../rows/mixture.ts";

export interface ShardBatchSamplerOptions extends Partial<Rank> {
  readonly datasets: readonly Dataset[];
  /** Rows in all datasets together. */
  readonly rowCount: number;
  /** Rows in a step, over all ranks. */
  readonly batchSize: number;
  /** Rows, with their encoded images, that wait in memory to be drawn from at random. */
  readonly shuffleBuffer: number;
  readonly flips: boolean;
  readonly seed: number;
  /** Told of every row and shard that cannot be used, which is then left out; may throw instead. */
  readonly onBadRow: (error: LlavaError) => void;
}

export interface ShardState {
  readonly seed: number;
  readonly epoch: number;
  /** Rows of this epoch already drawn, on all ranks. */
  readonly position: number;
}

interface DrawnRow {
  readonly row: LlavaRow;
  readonly mirrored: boolean;
}

/**
 * Draws rows of shards as they stream by: the shards of an epoch come in a random order, and their rows pass through a
 * buffer out of which a random one is drawn. Memory holds the buffer, whatever the data's size. To go on from a state, the
 * epoch is read again up to there, without decoding anything. Every rank reads all shards.
 */
export class ShardBatchSampler implements BatchSampler<ShardState> {
  readonly #options: ShardBatchSamplerOptions;
  readonly #rank: Rank;
  readonly #stepSize: number;
  #epoch = 0;
  #position = 0;
  #rows: AsyncGenerator<LlavaRow>;

  constructor(options: ShardBatchSamplerOptions) {
    this.#options = options;
    const { rank = 0, ranks = 1, batchSize } = options;
    this.#rank = { rank, ranks };
    this.#stepSize = batchSize;
    this.#rows = this.#shuffled(0);
  }

  get stepsPerEpoch(): number {
    return this.#options.rowCount / this.#stepSize;
  }

  get state(): ShardState {
    return { seed: this.#options.seed, epoch: this.#epoch, position: this.#position };
  }
  set state({ seed, epoch, position }: ShardState) {
    if (seed !== this.#options.seed)
      throw new LlavaError("checkpoint", `the run drew with seed ${seed}; here it is ${this.#options.seed}`, {
        hint: "Resume with the data and the seed that the run was started with.",
      });
    this.#epoch = epoch;
    this.#position = position;
    this.#rows = this.#from(epoch, position);
  }

  async next(): Promise<RowGroup[]> {
    const step: DrawnRow[] = [];
    while (step.length < this.#stepSize) step.push(await this.#draw());
    return partOf(step, this.#rank).map(({ row, mirrored }) => ({ rows: [row], mirrored }));
  }

  async #draw(): Promise<DrawnRow> {
    const { seed, flips } = this.#options;
    let next = await this.#rows.next();
    if (next.done) {
      if (this.#position === 0)
        throw new LlavaError("data", "there is nothing to train on: the shards have no usable row", {
          hint: "Look at why rows are skipped: llava data check.",
        });
      this.#epoch++;
      this.#position = 0;
      this.#rows = this.#shuffled(this.#epoch);
      next = await this.#rows.next();
      if (next.done) return this.#draw();
    }
    const mirrored = flips && mixSeed(seed, this.#epoch, this.#position, 1) % 2 === 1;
    this.#position++;
    return { row: next.value, mirrored };
  }

  async *#from(epoch: number, position: number): AsyncGenerator<LlavaRow> {
    const rows = this.#shuffled(epoch);
    for (let passed = 0; passed < position; passed++) await rows.next();
    yield* rows;
  }

  async *#shuffled(epoch: number): AsyncGenerator<LlavaRow> {
    const { seed, shuffleBuffer } = this.#options;
    const random = mulberry32(mixSeed(seed, epoch, 2));
    const waiting: LlavaRow[] = [];
    const take = (): LlavaRow => {
      const at = Math.floor(random() * waiting.length);
      const [row, last] = [waiting[at]!, waiting.pop()!];
      if (at < waiting.length) waiting[at] = last;
      return row;
    };
    for await (const row of this.#inOrder(epoch)) {
      waiting.push(row);
      if (waiting.length >= shuffleBuffer) yield take();
    }
    while (waiting.length > 0) yield take();
  }

  async *#inOrder(epoch: number): AsyncGenerator<LlavaRow> {
    const { datasets, seed, onBadRow } = this.#options;
    for (const index of permutation(datasets.length, mixSeed(seed, epoch)))
      try {
        for await (const found of datasetRows(datasets[index]!)) {
          const problem = "error" in found ? found.error : turnProblem(found.row);
          if (problem) onBadRow(problem);
          else if ("row" in found) yield found.row;
        }
      } catch (error) {
        if (!(error instanceof LlavaError) || error.code !== "data") throw error;
        onBadRow(error);
      }
  }
}

function turnProblem(row: LlavaRow): LlavaError | undefined {
  try {
    conversationOfRow(row);
    return undefined;
  } catch (error) {
    if (error instanceof LlavaError) return error;
    throw error;
  }
}
