import { Module, placeholder } from "../nn/index.ts";
import type { FeatureGrid } from "../processing/image/index.ts";
import { aten, type Tensor } from "../torch/index.ts";
import { under } from "./under.ts";
import type { SegmentedForward, StandardizedTower, TowerOptions, VisionTower } from "./vision-tower.ts";

/**
 * A tower with fewer, standardised features: its square grid is averaged to `side`×`side` rows, and each channel is
 * brought to mean 0 and deviation 1 by statistics measured once on training images.
 */
export class PooledTower extends Module implements VisionTower, StandardizedTower {
  readonly tower: VisionTower;
  readonly featureMean: Tensor; // [hiddenSize]
  readonly featureStd: Tensor; // [hiddenSize]
  readonly #side: number;

  constructor(tower: VisionTower, side: number) {
    super();
    this.tower = tower;
    this.featureMean = placeholder([tower.hiddenSize]);
    this.featureStd = placeholder([tower.hiddenSize]);
    this.#side = side;
  }

  get hiddenSize(): number {
    return this.tower.hiddenSize;
  }
  get grid(): FeatureGrid {
    return { rows: this.#side, columns: this.#side, extra: 0 };
  }
  get tilesAtOnce(): number | undefined {
    return this.tower.tilesAtOnce;
  }

  get unused(): readonly RegExp[] {
    return under("tower", this.tower.unused);
  }
  get standardized(): StandardizedTower {
    return this;
  }
  get statistics(): StandardizedTower["statistics"] {
    return { feature_mean: this.featureMean, feature_std: this.featureStd };
  }

  forward(pixelValues: Tensor, options?: TowerOptions): Tensor {
    return this.standardize(this.extract(pixelValues, options));
  }

  *segments(pixelValues: Tensor): SegmentedForward {
    return this.standardize(this.#pool(yield* this.tower.segments(pixelValues)));
  }

  extract(pixelValues: Tensor, options?: TowerOptions): Tensor {
    return this.#pool(this.tower.forward(pixelValues, options));
  }

  /** [N, grid², C] → [N, side², C] */
  #pool(features: Tensor): Tensor {
    const [images, rows, width] = features.shape as [number, number, number];
    const grid = Math.sqrt(rows);
    const image = features.transpose(1, 2).reshape([images, width, grid, grid]);
    return aten.adaptiveAvgPool2d(image, [this.#side, this.#side]).flatten(2).transpose(1, 2);
  }

  standardize(features: Tensor): Tensor {
    return features.sub(this.featureMean).div(this.featureStd);
  }
}
