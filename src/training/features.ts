import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { PooledTower, type VisionTower } from "../models/index.ts";
import { decodeImage, type ImageProcessorConfig, preprocess } from "../processing/image/index.ts";
import { aten, fromTyped, noGrad, scope, stack, type Tensor } from "../torch/index.ts";

/** An image of the data as a step sees it. */
export interface ImageView {
  readonly image: string;
  readonly mirrored: boolean;
}

/** Where a frozen tower's features come from: computed when they are asked for, or kept on disk. */
export interface FeatureSource {
  /** [tokens, C] for each view; undefined for an image that cannot be decoded. */
  load(views: readonly ImageView[]): Promise<(Tensor | undefined)[]>;
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

  async load(views: readonly ImageView[]): Promise<(Tensor | undefined)[]> {
    const { tower, processor, folder, batchSize } = this.#options;
    const loaded: (Tensor | undefined)[] = [];
    for (let start = 0; start < views.length; start += batchSize) {
      const chunk = views.slice(start, start + batchSize);
      const pixels = await Promise.all(
        chunk.map(({ image }) => decodePixels(join(folder, image), processor)),
      );
      const good = chunk.flatMap((view, i) => (pixels[i] ? [{ view, pixels: pixels[i] }] : []));
      const features = scope(() =>
        noGrad(() => {
          if (good.length === 0) return [];
          const values = good.map(({ pixels: { data, height, width }, view }) => {
            const value = fromTyped(data, { dtype: "float32", shape: [3, height, width] });
            return view.mirrored ? aten.flip(value, [2]) : value;
          });
          const rows = tower.extract(stack(values));
          return good.map((_, i) => rows.select(0, i).clone());
        }),
      );
      let next = 0;
      loaded.push(...pixels.map((each) => (each ? features[next++] : undefined)));
    }
    return loaded;
  }
}

async function decodePixels(path: string, processor: ImageProcessorConfig) {
  try {
    return preprocess(await decodeImage(path), processor);
  } catch (error) {
    if (error instanceof LlavaError && error.code === "image") return undefined;
    throw error;
  }
}
