import { LlavaError } from "../../errors.ts";
import type { Llava, TowerOptions } from "../../models/index.ts";
import { type PixelValues, releaseMemory } from "../../processing/image/index.ts";
import { aten, fromTyped, scope, type Tensor } from "../../torch/index.ts";

/** An image of the data as a step sees it. */
export interface ImageView {
  readonly name: string;
  readonly mirrored: boolean;
  /** Pixel values that are the caller's to use up; an error for an image that cannot be decoded. */
  pixels(): Promise<PixelValues | LlavaError>;
}

/** What a batch holds of its images, and what becomes of it in the loss. */
export interface ImageInputs {
  /** Whether views are asked for their pixels. */
  readonly takesPixels: boolean;
  /** A tensor for each view, the caller's to dispose of; an error for an image that cannot be decoded. */
  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]>;
  /** N loaded tensors, stacked → features of the tower [N, tokens, C] */
  encode(images: Tensor, options?: TowerOptions): Tensor;
}

/** For a tower that learns: batches hold pixel values [3, H, W]. */
export const pixelInputs = (model: Llava): ImageInputs => ({
  takesPixels: true,
  load: (views) => Promise.all(views.map(async (view) => pixelTensor(await view.pixels(), view.mirrored))),
  encode: (images, options) => model.encodeImages(images, options),
});

/** [3, H, W], of values whose memory is taken back; an error is passed on. */
export function pixelTensor(pixels: PixelValues | LlavaError, mirrored: boolean): Tensor | LlavaError {
  if (pixels instanceof LlavaError) return pixels;
  const { data, height, width } = pixels;
  return scope(() => {
    const values = fromTyped(data, { dtype: "float32", shape: [3, height, width] });
    releaseMemory(data);
    return mirrored ? aten.flip(values, [2]) : values;
  });
}
