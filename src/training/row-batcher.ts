import {
  type EncodedRow,
  encodeRow,
  imagesOfRow,
  type LlavaRow,
  type RowEncoding,
  type RowGroup,
  rowError,
} from "../data/index.ts";
import { LlavaError } from "../errors.ts";
import { scope, stack, type Tensor } from "../torch/index.ts";
import type { ImageInputs, ImageView } from "./features.ts";
import type { SupervisedBatch } from "./objectives/supervised.ts";
import { masksOf, type PackingSample, packSamples, placeAttention, shareTrunk } from "./packing.ts";

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

  /** Whether images can be loaded while something else is computed. */
  get isBackground(): boolean {
    return this.#options.images.isBackground;
  }

  /** Begins to load the images of rows that will be asked for. */
  prefetch(groups: readonly RowGroup[]): void {
    this.#options.images.prefetch([...viewsOf(groups).values()]);
  }

  /** Rows that cannot be used are left out; undefined when none remains. */
  async batch(groups: readonly RowGroup[]): Promise<SupervisedBatch | undefined> {
    const { device, packedRows } = this.#options;
    const loaded = await this.#load(groups);
    const samples = groups.flatMap((group) => this.#samples(group, loaded));
    try {
      if (samples.length === 0) return undefined;
      const { tokens, units, attention, ...tensors } = scope(() => {
        const { order, tokens, units, attention, ...packed } = packSamples(samples, packedRows);
        const seen = order.flatMap((at) => {
          const { images, mirrored } = samples[at]!;
          return images.map((image) => loaded.get(viewName(image, mirrored)) as Tensor);
        });
        const placed = Object.fromEntries(
          Object.entries(packed).map(([name, tensor]) => [name, tensor.toDevice(device)]),
        ) as typeof packed;
        const stacked = seen.length === 0 ? undefined : stack(seen).toDevice(device);
        return { tokens, units, images: stacked, attention: placeAttention(attention, device), ...placed };
      });
      return {
        ...tensors,
        attention,
        tokens,
        units,
        samples: samples.flatMap(({ ids }) => ids),
        [Symbol.dispose]: () => {
          for (const tensor of [...Object.values(tensors), ...masksOf(attention)]) tensor?.dispose();
        },
      };
    } finally {
      for (const view of loaded.values()) if (!(view instanceof LlavaError)) view.dispose();
    }
  }

  /** Every image once, by the way it is seen; an error for one that cannot be decoded. */
  async #load(groups: readonly RowGroup[]): Promise<Map<string, Tensor | LlavaError>> {
    const views = viewsOf(groups);
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
        if (view instanceof LlavaError) throw rowError(row, "broken", view.message, "Get the image again.");
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
    const error = rowError(
      row,
      "long",
      `${length} tokens, more than ${maxTokens}`,
      "Raise --data.maxTokens, or give --data.onLongRow truncate or skip.",
    );
    (onLongRow === "truncate" ? onBadRow : onLongRow)(row, error);
    return undefined;
  }
}

/** All that is seen in some groups, each once. */
const viewsOf = (groups: readonly RowGroup[]): Map<string, ImageView> =>
  new Map(
    groups.flatMap(({ rows, mirrored }) =>
      rows.flatMap((row) =>
        imagesOfRow(row).map((image, index) => {
          const bytes = row.imageBytes?.[index];
          return [viewName(image, mirrored), { image, mirrored, ...(bytes && { bytes }) }] as const;
        }),
      ),
    ),
  );

const viewName = (image: string, mirrored: boolean): string => `${mirrored ? "mirrored" : "plain"} ${image}`;
