import { alone, type Communicator, sumNumbers } from "../../../distributed/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { RowBatch } from "../../batches/row-batch.ts";
import type { BatchSource } from "../objective.ts";
import { chosenTokens, type PairBatch, pairBatch } from "./pair-batch.ts";

/** Log probabilities of the reference by the origin of a pair: of its chosen answer, and of the rejected one. */
export type KnownReference = ReadonlyMap<string, readonly [chosen: number, rejected: number]>;

export interface PairSourceOptions {
  /** Those of a precomputed reference. */
  readonly known?: KnownReference | undefined;
  readonly communicator?: Communicator | undefined;
}

/** Gives the batches of packed rows out as pairs. */
export class PairSource implements BatchSource<PairBatch> {
  readonly #rows: BatchSource<RowBatch> & { readonly stepsPerEpoch: number };
  readonly #known: KnownReference | undefined;
  readonly #communicator: Communicator;

  constructor(
    rows: BatchSource<RowBatch> & { readonly stepsPerEpoch: number },
    { known, communicator = alone }: PairSourceOptions = {},
  ) {
    this.#rows = rows;
    this.#known = known;
    this.#communicator = communicator;
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

  async next(): Promise<PairBatch[]> {
    return asPairs(await this.#rows.next(), this.#communicator, (batch) => this.#referenceOf(batch));
  }

  #referenceOf({ samples, origins }: RowBatch): readonly number[] | undefined {
    if (!this.#known) return undefined;
    return origins.map((origin, answer) => {
      const known = this.#known!.get(origin);
      if (known) return known[answer % 2]!;
      throw new LlavaError("data", `${origin} (id ${samples[answer]}) has no precomputed reference`, {
        hint: "The rows changed while the run went on: start it again.",
      });
    });
  }
}

/** Batches that belong to one step. */
export function asPairs(
  batches: readonly RowBatch[],
  communicator: Communicator,
  referenceOf: (batch: RowBatch) => readonly number[] | undefined = () => undefined,
): PairBatch[] {
  const pairs = batches.reduce((sum, { samples }) => sum + samples.length / 2, 0);
  const tokens = batches.reduce((sum, batch) => sum + chosenTokens(batch), 0);
  const [allPairs, allTokens] = sumNumbers(communicator, [pairs, tokens]) as [number, number];
  return batches.map((batch) => pairBatch(batch, allPairs / allTokens, referenceOf(batch)));
}
