import { LlavaError } from "../../errors.ts";
import { Module, placeholder } from "../../nn/index.ts";
import { type FeatureGrid, type FramesLayout, pooledGrid } from "../../processing/image/index.ts";
import { aten, cat, type Tensor } from "../../torch/index.ts";

/** A convolution whose windows lie side by side: it pools by weights (LLaVA-NeXT's `SpatialPool`). */
export class FrameConvolution extends Module {
  protected override readonly keys = { weight: "pool.weight", bias: "pool.bias" };
  /** [out, C, stride, stride] */
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly #stride: number;

  constructor({ channels, out, stride }: { channels: number; out: number; stride: number }) {
    super();
    this.weight = placeholder([out, channels, stride, stride]);
    this.bias = placeholder([out]);
    this.#stride = stride;
  }

  /** [N, C, H, W] → [N, out, ⌊H / stride⌋, ⌊W / stride⌋] */
  forward(maps: Tensor): Tensor {
    return aten.conv2d(maps, this.weight, this.bias, [this.#stride, this.#stride]);
  }
}

interface Pool {
  /** Of a frame, before it is pooled. */
  readonly grid: FeatureGrid;
  readonly convolution?: FrameConvolution | undefined;
}

/**
 * Frames' features [F, g², C], pooled if this is the place for it → [F, pooled rows · columns, C].
 * @throws LlavaError "config" for "conv" in a model without its weights
 */
export function poolFrames(
  features: Tensor,
  { pooling }: FramesLayout,
  place: "before" | "after",
  { grid, convolution }: Pool,
): Tensor {
  const { mode, stride } = pooling;
  if (pooling.place !== place || (stride === 1 && mode !== "conv")) return features;
  const [frames, , width] = features.shape as [number, number, number];
  const { rows, columns } = pooledGrid(grid, pooling);
  const maps = features
    .slice(1, grid.extra)
    .transpose(1, 2)
    .reshape([frames, width, grid.rows, grid.columns]); // [F, C, g, g]
  const pooled = ((): Tensor => {
    switch (mode) {
      case "average":
        return aten.avgPool2d(maps, [stride, stride]);
      case "max":
        return aten.maxPool2d(maps, [stride, stride]);
      case "bilinear":
        return aten.upsampleBilinear2d(maps, [rows, columns], false);
      case "conv":
        if (convolution !== undefined) return convolution.forward(maps);
        throw new LlavaError(
          "config",
          "frames are to be pooled by a convolution, which the model has no weights for",
          {
            hint: "Pool by average, max or bilinear.",
          },
        );
    }
  })();
  return pooled.flatten(2).transpose(1, 2);
}

/** Projected and pooled features [F, tokens, D] → the tokens of a video [T, D], as many as `tokensOf` counts. */
export function packFrames(
  frames: Tensor,
  { newlines, pooling }: FramesLayout,
  { grid, newline }: { readonly grid: FeatureGrid; readonly newline: Tensor | undefined },
): Tensor {
  if (newlines === "none") return frames.flatten(0, 1);
  const width = frames.size(2); // D
  const end = newline!.to(frames.dtype);
  if (newlines === "video") return cat([frames.flatten(0, 1), end.unsqueeze(0)]);
  const { columns } = newlines === "grid" ? pooledGrid(grid, pooling) : { columns: frames.size(1) };
  const rows = frames.reshape([-1, columns, width]);
  return cat([rows, end.expand([rows.size(0), 1, width])], 1).flatten(0, 1);
}
