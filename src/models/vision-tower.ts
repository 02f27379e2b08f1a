import type { Module, SegmentRunner } from "../nn/index.ts";
import type { FeatureGrid } from "../processing/image/index.ts";
import type { Tensor } from "../torch/index.ts";

export interface TowerOptions {
  /** Calls the layers, each a segment (see `ActivationCheckpoints`); by default each frees what it does not give. */
  readonly runLayer?: SegmentRunner | undefined;
}

/** Turns images into rows of features for the projector. */
export interface VisionTower extends Module {
  /** Width of a feature row. */
  readonly hiddenSize: number;
  /** Feature rows of a tile. */
  readonly grid: FeatureGrid;
  /** pixel values [N, 3, H, W] of N tiles → [N, tokens, hiddenSize] */
  forward(pixelValues: Tensor, options?: TowerOptions): Tensor;
}
