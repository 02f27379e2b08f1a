import { mediumKey } from "../../protocol/index.ts";
import { mixSeed, permutation } from "../../random/index.ts";
import { kindOfRow, type RowTable } from "../rows/row-table.ts";
import { type BatchSampler, partOf, type Rank, type RowGroup } from "./batch-sampler.ts";
import { evenDraw } from "./even-draw.ts";
import { groupedOrder } from "./grouped-order.ts";
import { ImageGroups } from "./image-groups.ts";
import { EpochSampler, type SamplerState } from "./sampler.ts";

export interface TableBatchSamplerOptions extends Partial<Rank> {
  readonly rows: RowTable;
  /** Rows of one image that share its tokens in a step. */
  readonly rowsPerImage: number;
  /** Rows in a step, over all ranks. */
  readonly batchSize: number;
  /** "modality": a step's rows all have images or all have none; "length": they are sorted within a step only. */
  readonly grouping?: "none" | "length" | "modality";
  /** "separated": rows with videos come in steps of their own. */
  readonly videos?: "mixed" | "separated" | "only";
  /** "datasets": an epoch draws equally many rows of each dataset of a mixture; "rows": each row once. */
  readonly mixing?: "rows" | "datasets";
  readonly flips: boolean;
  readonly seed: number;
}

/** Draws all rows of a table once an epoch. */
export class TableBatchSampler implements BatchSampler<SamplerState> {
  readonly #options: TableBatchSamplerOptions;
  readonly #groups: ImageGroups;
  readonly #sampler: EpochSampler;
  readonly #rank: Rank;
  /** Groups of rows in a step, over all ranks. */
  readonly #stepSize: number;

  constructor(options: TableBatchSamplerOptions) {
    this.#options = options;
    const { rows, rowsPerImage, batchSize, seed, rank = 0, ranks = 1 } = options;
    const { grouping = "none", mixing = "rows", videos = "mixed" } = options;
    this.#rank = { rank, ranks };
    const onlyImage = (row: number): string | undefined => {
      const images = rows.imagesOf(row);
      if (images.length !== 1) return undefined;
      const key = mediumKey(images[0]!);
      return mixing === "datasets" ? `${rows.datasetOf(row)} ${key}` : key;
    };
    this.#groups = new ImageGroups(rows.length, onlyImage, rowsPerImage);
    this.#stepSize = Math.max(1, Math.round(batchSize / rowsPerImage));
    const count = this.#groups.count;
    const datasets = Map.groupBy(Array(count).keys(), (group) =>
      rows.datasetOf(this.#groups.at(group, 0, seed)[0]!),
    );
    const itemsOf = (epoch: number): number[] | undefined =>
      mixing === "datasets" ? evenDraw([...datasets.values()], { seed, epoch }) : undefined;
    const order = (epoch: number): Uint32Array => {
      const items = itemsOf(epoch);
      if (grouping === "none" && videos !== "separated")
        return permutation(count, mixSeed(seed, epoch)).map((place) => items?.[place] ?? place);
      const groups = Array.from({ length: count }, (_, group) => this.#groups.at(group, epoch, seed));
      const lengths = groups.map((group) => this.#lengthOf(group));
      const kindOf = (group: number): string => {
        const kind = kindOfRow(rows.imagesOf(groups[group]![0]!));
        const isApart =
          kind === "text" ? grouping === "modality" : kind === "video" && videos === "separated";
        return isApart ? kind : "images";
      };
      return groupedOrder(count, {
        ...{ seed, epoch, ...(items && { items }) },
        stepSize: this.#stepSize,
        kindOf,
        lengthOf: (group) => lengths[group]!,
      });
    };
    this.#sampler = new EpochSampler(count, seed, order);
  }

  get stepsPerEpoch(): number {
    return this.#groups.count / this.#stepSize;
  }

  get state(): SamplerState {
    return this.#sampler.state;
  }
  set state(state: SamplerState) {
    this.#sampler.state = state;
  }

  next(): Promise<RowGroup[]> {
    const { rows, flips, seed } = this.#options;
    const drawn = this.#sampler.draw(this.#stepSize).map(({ index, epoch }) => ({
      group: this.#groups.at(index, epoch, seed),
      mirrored: flips && mixSeed(seed, epoch, index, 1) % 2 === 1,
    }));
    const step = partOf(drawn, this.#rank, ({ group }) => this.#lengthOf(group));
    return Promise.resolve(
      step.map(({ group, mirrored }) => ({ rows: group.map((row) => rows.at(row)), mirrored })),
    );
  }

  #lengthOf(group: readonly number[]): number {
    return group.reduce((sum, row) => sum + this.#options.rows.lengthOf(row), 0);
  }
}
