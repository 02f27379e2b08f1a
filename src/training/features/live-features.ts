import { LlavaError } from "../../errors.ts";
import type { VisionTower } from "../../models/index.ts";
import { rowsOf } from "../../processing/image/index.ts";
import { cat, inChunks, noGrad, scope, type Tensor } from "../../torch/index.ts";
import { type ImageInputs, type ImageView, pixelTensor } from "./image-inputs.ts";

/** Where a frozen tower's features come from: computed when they are asked for, or kept on disk. */
export type FeatureSource = Pick<ImageInputs, "load" | "takesPixels" | "shapeOf">;

/** For a frozen tower: batches hold its features. */
export const frozenInputs = (source: FeatureSource, tower: FrozenTower): ImageInputs => ({
  takesPixels: source.takesPixels,
  shapeOf: (key) => source.shapeOf?.(key),
  load: (views) => source.load(views),
  encode: (images) => tower.finish(images.to("float32")),
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
  /** Tiles that the tower takes at once. */
  readonly batchSize: number;
}

/** Runs the tower on whatever is asked for. */
export class LiveFeatures implements FeatureSource {
  readonly takesPixels = true;
  readonly #options: FeatureOptions;

  constructor(options: FeatureOptions) {
    this.#options = options;
  }

  async load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]> {
    const { tower, batchSize } = this.#options;
    const loaded: (Tensor | LlavaError)[] = [];
    for (let start = 0; start < views.length; start += batchSize) {
      const chunk = views.slice(start, start + batchSize);
      const pixels = await Promise.all(chunk.map((view) => view.pixels()));
      const features = scope(() =>
        noGrad(() => {
          const tensors = pixels.map(pixelTensor);
          const good = tensors.filter((each): each is Tensor => !(each instanceof LlavaError));
          if (good.length === 0) return [];
          // [tiles, 3, H, W] → [tiles, tokens, C]
          return inChunks(cat(good), batchSize, (tiles) => tower.extract(tiles))
            .split(good.map((image) => image.size(0)))
            .map((image) => image.clone());
        }),
      );
      let next = 0;
      loaded.push(...pixels.map((each) => (each instanceof LlavaError ? each : features[next++]!)));
    }
    return loaded;
  }
}
