import { LlavaError } from "../../errors.ts";
import type { Llava, TowerOptions } from "../../models/index.ts";
import { type ImageSize, type PixelValues, releaseMemory } from "../../processing/image/index.ts";
import { fromTyped, type Tensor } from "../../torch/index.ts";

/** An image of the data as a step sees it. */
export interface ImageView {
  readonly name: string;
  readonly mirrored: boolean;
  /** Pixel values of it as it is seen, the caller's to use up; an error for an image that cannot be decoded. */
  pixels(): Promise<PixelValues | LlavaError>;
}

/** What a batch holds of its images, and what becomes of it in the loss. */
export interface ImageInputs {
  /** Whether views are asked for their pixels. */
  readonly takesPixels: boolean;
  /** Size of an image that is kept, where its rows need it. */
  readonly sizeOf?: (name: string) => ImageSize | undefined;
  /** A tensor [tiles, …] for each view, the caller's to dispose of; an error for an image that cannot be decoded. */
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
