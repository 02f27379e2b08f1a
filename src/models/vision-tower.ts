import type { Module, SegmentRunner } from "../nn/index.ts";
import type { Tensor } from "../torch/index.ts";

export interface TowerOptions {
  /** Calls the layers, each a segment (see `ActivationCheckpoints`); by default each frees what it does not give. */
  readonly runLayer?: SegmentRunner | undefined;
}

/** Turns images into rows of features for the projector. */
export interface VisionTower extends Module {
  /** Width of a feature row. */
  readonly hiddenSize: number;
  /** Feature rows of one image. */
  readonly tokens: number;
  /** Paths of tensors that files may hold and the tower has no place for. */
  readonly unused: readonly RegExp[];
  /** The tower in two steps, where it brings its features to statistics of training images. */
  readonly standardized?: StandardizedTower;
  /** pixel values [N, 3, H, W] → [N, tokens, hiddenSize] */
  forward(pixelValues: Tensor, options?: TowerOptions): Tensor;
}

/** A tower whose features are worth keeping before they are standardised: the statistics may change with the data. */
export interface StandardizedTower {
  /** What computes the features. */
  readonly tower: VisionTower;
  /** Means and deviations of the channels, [hiddenSize], by their names in the tower. */
  readonly statistics: { readonly feature_mean: Tensor; readonly feature_std: Tensor };
  /** pixel values [N, 3, H, W] → [N, tokens, hiddenSize], as they are measured */
  extract(pixelValues: Tensor): Tensor;
  /** [N, tokens, hiddenSize], as the projector takes them */
  standardize(features: Tensor): Tensor;
}
