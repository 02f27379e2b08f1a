import {
  type EncodedRow,
  EpochSampler,
  encodeRow,
  ImageGroups,
  imagesOfRow,
  type LlavaRow,
  mixSeed,
  type RowEncoding,
  type SamplerState,
} from "../data/index.ts";
import { LlavaError } from "../errors.ts";
import { scope, stack, type Tensor } from "../torch/index.ts";
import type { ImageInputs } from "./features.ts";
import type { BatchSource } from "./objectives/objective.ts";
import type { SupervisedBatch } from "./objectives/supervised.ts";
import { type PackingSample, packSamples, shareTrunk } from "./packing.ts";

/** Rows that share their image's tokens where they can, and how the image is seen. */
export interface RowGroup {
  readonly rows: readonly LlavaRow[];
  readonly mirrored: boolean;
}

export interface RowBatcherOptions extends Omit<RowEncoding, "imageTokens"> {
  readonly images: ImageInputs;
  readonly device: string;
  readonly packedRows: number;
  /** Longest row, tokens with those of its images. */
  readonly maxTokens: number;
  /** Told of every row that cannot be used and is left out; may throw instead. */
  readonly onBadRow: (row: LlavaRow, error: LlavaError) => void;
  /** "truncate" takes turns off the end of a row that is too long; otherwise as `onBadRow`. */
  readonly onLongRow: RowBatcherOptions["onBadRow"] | "truncate";
}

interface Sample extends PackingSample {
  readonly ids: readonly string[];
  readonly images: readonly string[];
  readonly mirrored: boolean;
}

/** Makes packed batches of rows and what the model sees of their images. */
export class RowBatcher {
  readonly #options: RowBatcherOptions;
  readonly #encoding: RowEncoding;

  constructor(options: RowBatcherOptions) {
    this.#options = options;
    this.#encoding = { ...options, imageTokens: () => options.images.tokens };
  }

  /** Rows that cannot be used are left out; undefined when none remains. */
  async batch(groups: readonly RowGroup[]): Promise<SupervisedBatch | undefined> {
    const { device, packedRows } = this.#options;
    const loaded = await this.#load(groups);
    const samples = groups.flatMap((group) => this.#samples(group, loaded));
    try {
      if (samples.length === 0) return undefined;
      const { tokens, units, ...tensors } = scope(() => {
        const { order, tokens, units, ...packed } = packSamples(samples, packedRows);
        const seen = order.flatMap((at) => {
          const { images, mirrored } = samples[at]!;
          return images.map((image) => loaded.get(viewName(image, mirrored)) as Tensor);
        });
        const placed = Object.fromEntries(
          Object.entries(packed).map(([name, tensor]) => [name, tensor.toDevice(device)]),
        ) as typeof packed;
        const stacked = seen.length === 0 ? undefined : stack(seen).toDevice(device);
        return { tokens, units, images: stacked, ...placed };
      });
      return {
        ...tensors,
        tokens,
        units,
        samples: samples.flatMap(({ ids }) => ids),
        [Symbol.dispose]: () => {
          for (const tensor of Object.values(tensors)) tensor?.dispose();
        },
      };
    } finally {
      for (const view of loaded.values()) if (!(view instanceof LlavaError)) view.dispose();
    }
  }

  /** Every image once, by the way it is seen; an error for one that cannot be decoded. */
  async #load(groups: readonly RowGroup[]): Promise<Map<string, Tensor | LlavaError>> {
    const views = new Map(
      groups.flatMap(({ rows, mirrored }) =>
        rows.flatMap(imagesOfRow).map((image) => [viewName(image, mirrored), { image, mirrored }] as const),
      ),
    );
    const rows = await this.#options.images.load([...views.values()]);
    return new Map([...views.keys()].map((name, i) => [name, rows[i]!]));
  }

  #samples({ rows, mirrored }: RowGroup, loaded: ReadonlyMap<string, Tensor | LlavaError>): Sample[] {
    const encoded = rows.flatMap((row) => this.#encode(row, mirrored, loaded) ?? []);
    if (encoded.length === 0) return [];
    const { images } = encoded[0]!;
    const shared = { ...shareTrunk(encoded), ids: encoded.map(({ id }) => id), images, mirrored };
    const covered = encoded.every(({ imagePositions }) =>
      imagePositions.every(({ start, length }) => start + length <= shared.inputIds.length),
    );
    if (covered) return [shared];
    return encoded.map((row) => ({ ...shareTrunk([row]), ids: [row.id], images: row.images, mirrored }));
  }

  /** undefined for a row that is left out. */
  #encode(
    row: LlavaRow,
    mirrored: boolean,
    loaded: ReadonlyMap<string, Tensor | LlavaError>,
  ): EncodedRow | undefined {
    const { maxTokens, onBadRow, onLongRow } = this.#options;
    let encoded: EncodedRow;
    try {
      for (const image of imagesOfRow(row)) {
        const view = loaded.get(viewName(image, mirrored));
        if (view instanceof LlavaError) throw new LlavaError("data", `row ${row.id}: ${view.message}`);
      }
      encoded = encodeRow(row, this.#encoding);
    } catch (error) {
      if (!(error instanceof LlavaError)) throw error;
      onBadRow(row, error);
      return undefined;
    }
    const { length } = encoded.inputIds;
    if (length <= maxTokens) return encoded;
    const shorter = { ...row, conversations: row.conversations.slice(0, -2) };
    if (onLongRow === "truncate" && shorter.conversations.length >= 2)
      return this.#encode(shorter, mirrored, loaded);
    const error = new LlavaError("data", `row ${row.id}: ${length} tokens, more than ${maxTokens}`, {
      hint: "Raise --data.maxTokens, or give --data.onLongRow truncate or skip.",
    });
    (onLongRow === "truncate" ? onBadRow : onLongRow)(row, error);
    return undefined;
  }
}

const viewName = (image: string, mirrored: boolean): string => `${mirrored ? "mirrored" : "plain"} ${image}`;

export interface RowSourceOptions {
  readonly rows: readonly LlavaRow[];
  readonly batcher: RowBatcher;
  /** Rows of one image that share its tokens in a step. */
  readonly rowsPerImage: number;
  /** Rows in a step. */
  readonly batchSize: number;
  readonly accumulation: number;
  readonly flips: boolean;
  readonly seed: number;
}

/** Deals all rows once an epoch. The batches depend on the seed and the place alone. */
export class RowSource implements BatchSource<SupervisedBatch, SamplerState> {
  readonly #options: RowSourceOptions;
  readonly #groups: ImageGroups;
  readonly #sampler: EpochSampler;
  /** Groups of rows in a step. */
  readonly groupsPerStep: number;

  constructor(options: RowSourceOptions) {
    this.#options = options;
    const { rows, rowsPerImage, batchSize, seed } = options;
    const onlyImage = (row: number): string | undefined => {
      const images = imagesOfRow(rows[row]!);
      return images.length === 1 ? images[0] : undefined;
    };
    this.#groups = new ImageGroups(rows.length, onlyImage, rowsPerImage);
    this.#sampler = new EpochSampler(this.#groups.count, seed);
    this.groupsPerStep = Math.max(1, Math.round(batchSize / rowsPerImage));
  }

  get stepsPerEpoch(): number {
    return this.#groups.count / this.groupsPerStep;
  }

  get state(): SamplerState {
    return this.#sampler.state;
  }
  set state(state: SamplerState) {
    this.#sampler.state = state;
  }

  async next(): Promise<SupervisedBatch[]> {
    const { batcher, accumulation, rows, flips, seed } = this.#options;
    const groups = this.#sampler.draw(this.groupsPerStep).map(({ index, epoch }) => ({
      rows: this.#groups.at(index, epoch, seed).map((row) => rows[row]!),
      mirrored: flips && mixSeed(seed, epoch, index, 1) % 2 === 1,
    }));
    const size = Math.ceil(groups.length / accumulation);
    const batches: SupervisedBatch[] = [];
    for (let start = 0; start < groups.length; start += size) {
      const batch = await batcher.batch(groups.slice(start, start + size));
      if (batch) batches.push(batch);
    }
    if (batches.length > 0) return batches;
    throw new LlavaError("data", `no row of a whole step can be used, ${groups[0]!.rows[0]!.id} for example`);
  }
}
