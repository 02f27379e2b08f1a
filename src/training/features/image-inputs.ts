import { resolve } from "node:path";
import type { PixelLoader } from "../../data/index.ts";
import { LlavaError } from "../../errors.ts";
import type { Llava, TowerOptions, VisionTower } from "../../models/index.ts";
import { type PixelValues, releaseMemory, rowsOf } from "../../processing/image/index.ts";
import { aten, fromTyped, noGrad, scope, stack, type Tensor } from "../../torch/index.ts";
import { Ahead } from "../batches/ahead.ts";

/** An image of the data as a step sees it. */
export interface ImageView {
  /** A file, relative to the folder of images or absolute; a name alone where `bytes` hold the image. */
  readonly image: string;
  readonly bytes?: Uint8Array;
  readonly mirrored: boolean;
}

/** What a batch holds of its images, and what becomes of it in the loss. */
export interface ImageInputs {
  /** Feature rows of an image. */
  readonly tokens: number;
  /** Whether images can be loaded while something else is computed. */
  readonly isBackground: boolean;
  /** Begins to load what will be asked for, where that happens in the background. */
  prefetch(views: readonly ImageView[]): void;
  /** A tensor for each view, the caller's to dispose of; an error for an image that cannot be decoded. */
  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]>;
  /** N loaded tensors, stacked → features of the tower [N, tokens, C] */
  encode(images: Tensor, options?: TowerOptions): Tensor;
}

/** Where a frozen tower's features come from: computed when they are asked for, or kept on disk. */
export type FeatureSource = Pick<ImageInputs, "load" | "prefetch" | "isBackground">;

/** A frozen tower: batches hold its features. */
export const frozenInputs = (source: FeatureSource, tower: FrozenTower): ImageInputs => ({
  tokens: tower.tokens,
  isBackground: source.isBackground,
  prefetch: (views) => source.prefetch(views),
  load: (views) => source.load(views),
  encode: (images) => tower.finish(images.to("float32")),
});

/** A tower that learns: batches hold pixel values [3, H, W]. */
export const pixelInputs = (model: Llava, pixels: ViewPixels): ImageInputs => ({
  tokens: rowsOf(model.visionTower.grid),
  isBackground: pixels.isBackground,
  prefetch: (views) => pixels.prefetch(views),
  load: (views) =>
    Promise.all(
      views.map(async (view) => {
        const loaded = await pixels.load(view);
        return loaded instanceof LlavaError ? loaded : pixelTensor(loaded, view.mirrored);
      }),
    ),
  encode: (images, options) => model.encodeImages(images, options),
});

/** Pixel values of views, those that were asked for ahead kept until they are needed. */
export class ViewPixels {
  readonly #loader: PixelLoader;
  readonly #folder: string;
  readonly #ahead = new Ahead<string, PixelValues | LlavaError>();

  /** Image names are relative to `folder`. */
  constructor(loader: PixelLoader, folder: string) {
    this.#loader = loader;
    this.#folder = folder;
  }

  get isBackground(): boolean {
    return this.#loader.isBackground;
  }

  prefetch(views: readonly ImageView[]): void {
    for (const view of views) this.#ahead.begin(view.image, () => this.#start(view));
  }

  load(view: ImageView): Promise<PixelValues | LlavaError> {
    return this.#ahead.take(view.image, () => this.#start(view));
  }

  #start({ image, bytes }: ImageView): Promise<PixelValues | LlavaError> {
    const path = resolve(this.#folder, image);
    return this.#loader.load(bytes ? { image: bytes, where: image } : { image: path, where: path });
  }
}

/** A frozen tower in two parts: what is worth keeping, and the standardisation that may change with the data. */
export interface FrozenTower {
  readonly tokens: number;
  readonly hiddenSize: number;
  /** pixel values [N, 3, H, W] → [N, tokens, C] */
  extract(pixelValues: Tensor): Tensor;
  /** [N, tokens, C] → [N, tokens, C], what the projector takes */
  finish(features: Tensor): Tensor;
}

export function frozenTower(tower: VisionTower): FrozenTower {
  const { hiddenSize, standardized } = tower;
  const tokens = rowsOf(tower.grid);
  const { dtype, device } = tower.parameters()[0]!;
  const placed = (pixelValues: Tensor) => pixelValues.toDevice(device).to(dtype);
  return {
    tokens,
    hiddenSize,
    extract: (pixelValues) =>
      standardized?.extract(placed(pixelValues)) ?? tower.forward(placed(pixelValues)),
    finish: (features) => standardized?.standardize(features) ?? features,
  };
}

export interface FeatureOptions {
  readonly tower: FrozenTower;
  readonly pixels: ViewPixels;
  /** Images that the tower takes at once. */
  readonly batchSize: number;
}

/** Runs the tower on whatever is asked for. */
export class LiveFeatures implements FeatureSource {
  readonly #options: FeatureOptions;

  constructor(options: FeatureOptions) {
    this.#options = options;
  }

  get isBackground(): boolean {
    return this.#options.pixels.isBackground;
  }

  prefetch(views: readonly ImageView[]): void {
    this.#options.pixels.prefetch(views);
  }

  async load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]> {
    const { tower, pixels: source, batchSize } = this.#options;
    const loaded: (Tensor | LlavaError)[] = [];
    for (let start = 0; start < views.length; start += batchSize) {
      const chunk = views.slice(start, start + batchSize);
      const pixels = await Promise.all(chunk.map((view) => source.load(view)));
      const good = chunk.flatMap(({ mirrored }, i) => {
        const decoded = pixels[i]!;
        return decoded instanceof LlavaError ? [] : [{ decoded, mirrored }];
      });
      const features = scope(() =>
        noGrad(() => {
          if (good.length === 0) return [];
          const rows = tower.extract(
            stack(good.map(({ decoded, mirrored }) => pixelTensor(decoded, mirrored))),
          );
          return good.map((_, i) => rows.select(0, i).clone());
        }),
      );
      let next = 0;
      loaded.push(...pixels.map((each) => (each instanceof LlavaError ? each : features[next++]!)));
    }
    return loaded;
  }
}

/** Takes the values' memory back. */
function pixelTensor({ data, height, width }: PixelValues, mirrored: boolean): Tensor {
  return scope(() => {
    const values = fromTyped(data, { dtype: "float32", shape: [3, height, width] });
    releaseMemory(data);
    return mirrored ? aten.flip(values, [2]) : values;
  });
}
