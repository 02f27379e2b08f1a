import type { ImageProcessorConfig } from "./config.ts";
import { type ImageLayout, layoutOf } from "./layout.ts";
import { type PixelValues, preprocess } from "./preprocess.ts";
import { createImage, type RgbImage } from "./rgb.ts";

/**
 * The values of an image seen mirrored. One that is cut into tiles is turned before it is cut, since a turned tile is not of its
 * place; the values of a whole one are turned.
 */
export function preprocessMirrored(
  image: RgbImage,
  config: ImageProcessorConfig,
  layout: ImageLayout = layoutOf(image, config),
  into?: Float32Array,
): PixelValues {
  if (layout.tiles === "anyres") return preprocess(mirrored(image), config, layout, into);
  const values = preprocess(image, config, layout, into);
  const { data, width } = values;
  for (let start = 0; start < data.length; start += width) data.subarray(start, start + width).reverse();
  return values;
}

function mirrored({ width, height, data }: RgbImage): RgbImage {
  const image = createImage(width, height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + x);
      image.data.set(data.subarray(from, from + 3), 3 * (y * width + (width - 1 - x)));
    }
  return image;
}
