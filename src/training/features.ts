import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { type Llava, PooledTower, type VisionTower } from "../models/index.ts";
import {
  decodeImage,
  type ImageProcessorConfig,
  type PixelValues,
  preprocess,
} from "../processing/image/index.ts";
import { aten, fromTyped, noGrad, scope, stack, type Tensor } from "../torch/index.ts";

/** An image of the data as a step sees it. */
export interface ImageView {
  readonly image: string;
  readonly mirrored: boolean;
}

/** What a batch holds of its images, and what becomes of it in the loss. */
export interface ImageInputs {
  /** Feature rows of an image. */
  readonly tokens: number;
  /** A tensor for each view, the caller's to dispose of; an error for an image that cannot be decoded. */
  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]>;
  /** N loaded tensors, stacked → features of the tower [N, tokens, C] */
  encode(images: Tensor): Tensor;
}

/** Where a frozen tower's features come from: computed when they are asked for, or kept on disk. */
export type FeatureSource = Pick<ImageInputs, "load">;

/** A frozen tower: batches hold its features. */
export const frozenInputs = (source: FeatureSource, tower: FrozenTower): ImageInputs => ({
  tokens: tower.tokens,
  load: (views) => source.load(views),
  encode: (images) => tower.finish(images.to("float32")),
});

/** A tower that learns: batches hold pixel values [3, H, W]. */
export const pixelInputs = (model: Llava, processor: ImageProcessorConfig, folder: string): ImageInputs => ({
  tokens: model.visionTower.tokens,
  load: (views) =>
    Promise.all(
      views.map(async ({ image, mirrored }) => {
        const pixels = await decodePixels(join(folder, image), processor);
        return pixels instanceof LlavaError ? pixels : pixelTensor(pixels, mirrored);
      }),
    ),
  encode: (images) => model.encodeImages(images),
});

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
  const { tokens, hiddenSize } = tower;
  const pooled = tower instanceof PooledTower ? tower : undefined;
  const { dtype, device } = tower.parameters()[0]!;
  const placed = (pixelValues: Tensor) => pixelValues.toDevice(device).to(dtype);
  return {
    tokens,
    hiddenSize,
    extract: (pixelValues) =>
      pooled ? pooled.pool(pooled.tower.forward(placed(pixelValues))) : tower.forward(placed(pixelValues)),
    finish: (features) => (pooled ? pooled.standardize(features) : features),
  };
}

export interface FeatureOptions {
  readonly tower: FrozenTower;
  readonly processor: ImageProcessorConfig;
  /** What image names are relative to. */
  readonly folder: string;
  /** Images that the tower takes at once. */
  readonly batchSize: number;
}

/** Runs the tower on whatever is asked for. */
export class LiveFeatures implements FeatureSource {
  readonly #options: FeatureOptions;

  constructor(options: FeatureOptions) {
    this.#options = options;
  }

  async load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]> {
    const { tower, processor, folder, batchSize } = this.#options;
    const loaded: (Tensor | LlavaError)[] = [];
    for (let start = 0; start < views.length; start += batchSize) {
      const chunk = views.slice(start, start + batchSize);
      const pixels = await Promise.all(
        chunk.map(({ image }) => decodePixels(join(folder, image), processor)),
      );
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

async function decodePixels(
  path: string,
  processor: ImageProcessorConfig,
): Promise<PixelValues | LlavaError> {
  try {
    return preprocess(await decodeImage(path), processor);
  } catch (error) {
    if (error instanceof LlavaError && error.code === "image") return error;
    throw error;
  }
}

function pixelTensor({ data, height, width }: PixelValues, mirrored: boolean): Tensor {
  return scope(() => {
    const values = fromTyped(data, { dtype: "float32", shape: [3, height, width] });
    return mirrored ? aten.flip(values, [2]) : values;
  });
}
