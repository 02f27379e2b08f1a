import type { Module } from "../nn/index.ts";
import type { FeatureGrid } from "../processing/image/index.ts";
import type { Tensor } from "../torch/index.ts";

/** Turns images into rows of features for the projector. */
export interface VisionTower extends Module {
  /** Width of a feature row. */
  readonly hiddenSize: number;
  /** Feature rows of a tile. */
  readonly grid: FeatureGrid;
  /** pixel values [N, 3, H, W] of N tiles → [N, tokens, hiddenSize] */
  forward(pixelValues: Tensor): Tensor;
}
