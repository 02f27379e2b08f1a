import { type LlavaRow, type RowEncoder, RowError, type RowGroup, rowError } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { EncodedRow } from "../../processing/processor/index.ts";
import { scope, stack, type Tensor } from "../../torch/index.ts";
import type { ImageInputs, ImageView } from "../features/image-inputs.ts";
import { Ahead } from "./ahead.ts";
import { masksOf, type PackingSample, packSamples, placeAttention, sharePrefix } from "./packing.ts";
import type { RowBatch } from "./row-batch.ts";

export interface RowBatcherOptions {
  readonly images: ImageInputs;
  readonly encoder: RowEncoder;
  readonly device: string;
  readonly packedRows: number;
  /** Told of every row that cannot be used and is left out; may throw instead. */
  readonly onBadRow: (row: LlavaRow, error: RowError) => void;
}

interface Sample extends PackingSample {
  readonly ids: readonly string[];
  readonly images: readonly string[];
  readonly mirrored: boolean;
}

/** Makes packed batches of rows and what the model sees of their images. */
export class RowBatcher {
  readonly #options: RowBatcherOptions;
  /** Rows that were asked for ahead. */
  readonly #ahead = new Ahead<LlavaRow, EncodedRow | RowError>();

  constructor(options: RowBatcherOptions) {
    this.#options = options;
  }

  /** Whether rows or their images can be loaded while something else is computed. */
  get isBackground(): boolean {
    const { images, encoder } = this.#options;
    return images.isBackground || encoder.isBackground;
  }

  /** Begins to load the rows that will be asked for, and their images. */
  prefetch(groups: readonly RowGroup[]): void {
    const { images, encoder } = this.#options;
    images.prefetch([...viewsOf(groups).values()]);
    if (!encoder.isBackground) return;
    for (const row of groups.flatMap(({ rows }) => rows)) this.#ahead.begin(row, () => encoder.encode(row));
  }

  /** Rows that cannot be used are left out; undefined when none remains. */
  async batch(groups: readonly RowGroup[]): Promise<RowBatch | undefined> {
    const { device, packedRows, encoder } = this.#options;
    const encode = (row: LlavaRow) => this.#ahead.take(row, () => encoder.encode(row));
    const encoded = await Promise.all(groups.map(({ rows }) => Promise.all(rows.map(encode))));
    const loaded = await this.#load(groups);
    try {
      const samples = groups.flatMap((group, at) => this.#samples(group, encoded[at]!, loaded));
      if (samples.length === 0) return undefined;
      const { tokens, units, owners, attention, ...tensors } = scope(() => {
        const { order, tokens, units, owners, attention, ...packed } = packSamples(samples, packedRows);
        const seen = order.flatMap((at) => {
          const { images, mirrored } = samples[at]!;
          return images.map((image) => loaded.get(viewName(image, mirrored)) as Tensor);
        });
        const placed = Object.fromEntries(
          Object.entries(packed).map(([name, tensor]) => [name, tensor.toDevice(device)]),
        ) as typeof packed;
        const stacked = seen.length === 0 ? undefined : stack(seen).toDevice(device);
        const blocks = placeAttention(attention, device);
        return { tokens, units, owners, images: stacked, attention: blocks, ...placed };
      });
      let before = 0;
      const first = samples.map(({ ids }) => {
        before += ids.length;
        return before - ids.length;
      });
      return {
        ...tensors,
        attention,
        tokens,
        units,
        samples: samples.flatMap(({ ids }) => ids),
        owners: Int32Array.from(owners, ({ sample, continuation }) => first[sample]! + continuation),
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

  #samples(
    { rows, mirrored }: RowGroup,
    tried: readonly (EncodedRow | RowError)[],
    loaded: ReadonlyMap<string, Tensor | LlavaError>,
  ): Sample[] {
    const encoded = rows.flatMap((row, at): EncodedRow[] => {
      const usable = brokenImage(row, mirrored, loaded) ?? tried[at]!;
      if (!(usable instanceof RowError)) return [usable];
      this.#options.onBadRow(row, usable);
      return [];
    });
    if (encoded.length === 0) return [];
    const { images } = encoded[0]!;
    const shared = { ...sharePrefix(encoded), ids: encoded.map(({ id }) => id), images, mirrored };
    const covered = encoded.every(({ imagePositions }) =>
      imagePositions.every(({ start, length }) => start + length <= shared.inputIds.length),
    );
    if (covered) return [shared];
    return encoded.map((row) => ({ ...sharePrefix([row]), ids: [row.id], images: row.images, mirrored }));
  }
}

/** Why a row cannot be used, if one of its images cannot. */
function brokenImage(
  row: LlavaRow,
  mirrored: boolean,
  loaded: ReadonlyMap<string, Tensor | LlavaError>,
): RowError | undefined {
  for (const { name } of row.images) {
    const view = loaded.get(viewName(name, mirrored));
    if (view instanceof LlavaError) return rowError(row, "broken", view.message, "Get the image again.");
  }
  return undefined;
}

/** All that is seen in some groups, each once. */
const viewsOf = (groups: readonly RowGroup[]): Map<string, ImageView> =>
  new Map(
    groups.flatMap(({ rows, mirrored }) =>
      rows.flatMap((row) =>
        row.images.map(
          ({ name: image, ...bytes }) => [viewName(image, mirrored), { image, mirrored, ...bytes }] as const,
        ),
      ),
    ),
  );

const viewName = (image: string, mirrored: boolean): string => `${mirrored ? "mirrored" : "plain"} ${image}`;
