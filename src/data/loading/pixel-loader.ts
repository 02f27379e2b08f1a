import { LlavaError } from "../../errors.ts";
import {
  decodeImage,
  type ImageProcessorConfig,
  type PixelValues,
  preprocess,
  releaseMemory,
} from "../../processing/image/index.ts";

/** The path of an image file or the encoded image itself, named for errors. */
export interface PixelSource {
  readonly image: string | Uint8Array;
  readonly where: string;
}

/** Makes a vision tower's inputs of images, here or in other threads. */
export interface PixelLoader extends Disposable {
  /** Whether other threads do the work, so that it is worth asking before the pixels are needed. */
  readonly isBackground: boolean;
  /** An error for an image that cannot be decoded; other errors are thrown. */
  load(source: PixelSource): Promise<PixelValues | LlavaError>;
}

/** Decodes and preprocesses in this thread. */
export const pixelsHere = (processor: ImageProcessorConfig): PixelLoader => ({
  isBackground: false,
  load: (source) => loadPixels(source, processor),
  [Symbol.dispose]() {},
});

export async function loadPixels(
  { image, where }: PixelSource,
  processor: ImageProcessorConfig,
): Promise<PixelValues | LlavaError> {
  try {
    const { transparency = "drop" } = processor;
    const decoded = await decodeImage(image, { where, limits: {}, transparency });
    const pixels = preprocess(decoded, processor);
    releaseMemory(decoded.data);
    return pixels;
  } catch (error) {
    if (error instanceof LlavaError && error.code === "image") return error;
    throw error;
  }
}
