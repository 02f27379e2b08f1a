import {
  type LlavaRow,
  type LoadedRows,
  type LoadRequest,
  mediumKey,
  notAPair,
  Prefetcher,
  RowError,
  type RowGroup,
  type RowImage,
  type RowLoader,
  type RowRules,
  rowError,
} from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { ImageLayout } from "../../processing/image/index.ts";
import type { EncodedRow, MediumShape } from "../../processing/processor/index.ts";
import { cat, scope, type Tensor } from "../../torch/index.ts";
import type { ImageInputs, ImageView } from "../features/image-inputs.ts";
import { masksOf, type PackingSample, packSamples, placeAttention, sharePrefix } from "./packing.ts";
import type { RowBatch } from "./row-batch.ts";

export interface CollatorOptions {
  readonly loader: RowLoader;
  /** What names of images are relative to. */
  readonly folder: string;
  /** How rows become ids. */
  readonly rules: RowRules;
  readonly images: ImageInputs;
  readonly device: string;
  readonly packedRows: number;
  /** Told of every row that cannot be used and is left out; may throw instead. */
  readonly onBadRow: (row: LlavaRow, error: RowError) => void;
}

interface Sample extends PackingSample {
  readonly ids: readonly string[];
  readonly origins: readonly string[];
  readonly images: readonly string[];
  readonly layouts: readonly ImageLayout[];
  readonly mirrored: boolean;
}

/** Makes packed batches of rows and what the model sees of their images and videos. */
export class Collator {
  readonly #options: CollatorOptions;
  readonly #prefetcher: Prefetcher<RowGroup>;

  constructor(options: CollatorOptions) {
    this.#options = options;
    this.#prefetcher = new Prefetcher(options.loader, (group) => this.#requestOf(group));
  }

  /** Begins to load groups that will be asked for, where other threads load. */
  prefetch(groups: readonly RowGroup[]): void {
    this.#prefetcher.begin(groups);
  }

  /** Groups that were begun will not be asked for. */
  forget(): void {
    this.#prefetcher.forget();
  }

  /** Rows that cannot be used are left out; undefined when none remains. */
  async batch(groups: readonly RowGroup[]): Promise<RowBatch | undefined> {
    const { device, packedRows } = this.#options;
    const loads = new Map<RowGroup, Promise<LoadedRows>>();
    const load = (group: RowGroup): Promise<LoadedRows> => {
      if (!loads.has(group)) loads.set(group, this.#prefetcher.take(group));
      return loads.get(group)!;
    };
    const encoded = await Promise.all(groups.map(async (group) => (await load(group)).rows));
    const loaded = await this.#images(groups, encoded, load);
    try {
      const samples = groups.flatMap((group, at) => this.#samples(group, encoded[at]!, loaded));
      if (samples.length === 0) return undefined;
      const { tokens, units, owners, attention, layouts, ...tensors } = scope(() => {
        const { order, tokens, units, owners, attention, ...packed } = packSamples(samples, packedRows);
        const seen = order.flatMap((at) => {
          const { images, layouts, mirrored } = samples[at]!;
          return images.map((image, i) => loaded.get(viewName(image, mirrored, layouts[i])) as Tensor);
        });
        const layouts = order.flatMap((at) => samples[at]!.layouts);
        const placed = Object.fromEntries(
          Object.entries(packed).map(([name, tensor]) => [name, tensor.toDevice(device)]),
        ) as typeof packed;
        const tiles = seen.length === 0 ? undefined : cat(seen).toDevice(device);
        const blocks = placeAttention(attention, device);
        return { tokens, units, owners, layouts, images: tiles, attention: blocks, ...placed };
      });
      let before = 0;
      const first = samples.map(({ ids }) => {
        before += ids.length;
        return before - ids.length;
      });
      return {
        ...tensors,
        attention,
        layouts,
        tokens,
        units,
        samples: samples.flatMap(({ ids }) => ids),
        origins: samples.flatMap(({ origins }) => origins),
        owners: Int32Array.from(owners, ({ sample, continuation }) => first[sample]! + continuation),
        [Symbol.dispose]: () => {
          for (const tensor of [...Object.values(tensors), ...masksOf(attention)]) tensor?.dispose();
        },
      };
    } finally {
      for (const view of loaded.values()) if (!(view instanceof LlavaError)) view.dispose();
    }
  }

  #requestOf({ rows, mirrored }: RowGroup): LoadRequest {
    const { folder, rules, images } = this.#options;
    if (images.takesPixels) return { folder, rules, rows, mirrored, images: imagesOf(rows) };
    const shapes = imagesOf(rows).flatMap((image): [string, MediumShape][] => {
      const shape = images.shapeOf?.(mediumKey(image));
      return shape === undefined ? [] : [[mediumKey(image), shape]];
    });
    return { folder, rules, rows, images: [], shapes: new Map(shapes) };
  }

  /** Every image once, by the way it is seen; an error for one that cannot be decoded. */
  async #images(
    groups: readonly RowGroup[],
    encoded: readonly (readonly (EncodedRow | RowError)[])[],
    load: (group: RowGroup) => Promise<LoadedRows>,
  ): Promise<Map<string, Tensor | LlavaError>> {
    const views = new Map(
      groups.flatMap((group, which) => {
        const { images, layouts }: Partial<EncodedRow> =
          encoded[which]!.find((row): row is EncodedRow => !(row instanceof RowError)) ?? {};
        return imagesOf(group.rows).map((image, at): [string, ImageView] => {
          const key = mediumKey(image);
          const pixels = async () => (await load(group)).pixels[at]!;
          const view = viewName(key, group.mirrored, layouts?.[images!.indexOf(key)]);
          return [view, { key, mirrored: group.mirrored, pixels }];
        });
      }),
    );
    const seen = await this.#options.images.load([...views.values()]);
    return new Map([...views.keys()].map((name, at) => [name, seen[at]!]));
  }

  #samples(
    { rows, mirrored, isPair }: RowGroup,
    tried: readonly (EncodedRow | RowError)[],
    loaded: ReadonlyMap<string, Tensor | LlavaError>,
  ): Sample[] {
    const origins: string[] = [];
    const encoded = rows.flatMap((row, at): EncodedRow[] => {
      const usable =
        (isPair && notPaired(rows, tried)) || (brokenImage(row, mirrored, tried[at]!, loaded) ?? tried[at]!);
      if (!(usable instanceof RowError)) {
        origins.push(row.origin ?? row.id);
        return [usable];
      }
      this.#options.onBadRow(row, usable);
      return [];
    });
    if (encoded.length === 0 || (isPair && encoded.length < rows.length)) return [];
    const { images, layouts } = encoded[0]!;
    const ids = encoded.map(({ id }) => id);
    const shared = { ...sharePrefix(encoded), ids, origins, images, layouts, mirrored };
    const covered = encoded.every(({ imagePositions }) =>
      imagePositions.every(({ start, length }) => start + length <= shared.inputIds.length),
    );
    if (covered) return [shared];
    return encoded.map((row, at) => {
      const { id, images, layouts } = row;
      return { ...sharePrefix([row]), ids: [id], origins: [origins[at]!], images, layouts, mirrored };
    });
  }
}

/** Why what should be a pair is none: it has one answer, or those that fit are equal. */
function notPaired(
  rows: readonly LlavaRow[],
  [chosen, rejected]: readonly (EncodedRow | RowError)[],
): RowError | undefined {
  if (rows.length < 2) return notAPair(rows[0]!);
  if (!chosen || !rejected || chosen instanceof RowError || rejected instanceof RowError) return undefined;
  if (chosen.inputIds.join() !== rejected.inputIds.join()) return undefined;
  return rowError(rows[0]!, "equal", "its two answers are equal as far as they fit", "Raise data.maxTokens.");
}

/** Why a row cannot be used, if one of its images cannot. */
function brokenImage(
  row: LlavaRow,
  mirrored: boolean,
  encoded: EncodedRow | RowError,
  loaded: ReadonlyMap<string, Tensor | LlavaError>,
): RowError | undefined {
  const layouts = encoded instanceof RowError ? [] : encoded.layouts;
  for (const [at, image] of row.images.entries()) {
    const view = loaded.get(viewName(mediumKey(image), mirrored, layouts[at]));
    if (view instanceof LlavaError) return rowError(row, "broken", view.message, "Get the file again.");
  }
  return undefined;
}

/** Those of some rows, each once. */
const imagesOf = (rows: readonly LlavaRow[]): RowImage[] => [
  ...new Map(rows.flatMap(({ images }) => images.map((image) => [mediumKey(image), image]))).values(),
];

/** An image may be one of several in a row, and alone in another, which some models see otherwise. */
const viewName = (key: string, mirrored: boolean, layout: ImageLayout | undefined): string =>
  `${mirrored ? "mirrored" : "plain"} ${layout?.tiles === "padded" ? "padded" : ""} ${key}`;
