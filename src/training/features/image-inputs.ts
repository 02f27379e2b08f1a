import { LlavaError } from "../../errors.ts";
import type { Llava, TowerOptions } from "../../models/index.ts";
import { type PixelValues, releaseMemory } from "../../processing/image/index.ts";
import type { MediumShape } from "../../processing/processor/index.ts";
import { fromTyped, type Tensor } from "../../torch/index.ts";

/** An image or a video of the data as a step sees it. */
export interface ImageView {
  /** See `mediumKey`. */
  readonly key: string;
  readonly mirrored: boolean;
  /** Pixel values of it as it is seen, the caller's to use up; an error for one that cannot be decoded. */
  pixels(): Promise<PixelValues | LlavaError>;
}

/** What a batch holds of its images and videos, and what becomes of it in the loss. */
export interface ImageInputs {
  /** Whether views are asked for their pixels. */
  readonly takesPixels: boolean;
  /** Of one that is kept, by its key, where its rows need it. */
  readonly shapeOf?: (key: string) => MediumShape | undefined;
  /** A tensor [tiles, …] for each view, the caller's to dispose of; an error for one that cannot be decoded. */
  load(views: readonly ImageView[]): Promise<(Tensor | LlavaError)[]>;
  /** N tiles of loaded images, one after another → features of the tower [N, tokens, C] */
  encode(images: Tensor, options?: TowerOptions): Tensor;
}

/** For a tower that learns: batches hold pixel values [tiles, 3, H, W]. */
export const pixelInputs = (model: Llava): ImageInputs => ({
  takesPixels: true,
  load: (views) => Promise.all(views.map(async (view) => pixelTensor(await view.pixels()))),
  encode: (images, options) => model.encodeImages(images, options),
});

/** [tiles, 3, H, W], of values whose memory is taken back; an error is passed on. */
export function pixelTensor(pixels: PixelValues | LlavaError): Tensor | LlavaError {
  if (pixels instanceof LlavaError) return pixels;
  const { data, tiles, height, width } = pixels;
  const values = fromTyped(data, { dtype: "float32", shape: [tiles, 3, height, width] });
  releaseMemory(data);
  return values;
}
