import type { AspectMode, ImageProcessorConfig } from "./config.ts";
import { centerRectangle, padToSquare, paste } from "./geometry.ts";
import { resize } from "./resample.ts";
import { openWorkspace } from "./resampleWorkspace.ts";
import { type Colour, createImage, type RgbImage } from "./rgb.ts";

/** Values of one image for the vision tower, planes of red, green and blue: [3, height, width]. */
export type PixelValues = {
  readonly data: Float32Array;
  readonly channels: 3;
  readonly height: number;
  readonly width: number;
};

/**
 * Resize, centre crop, rescale and normalise one image as CLIPImageProcessor and LlavaImageProcessor of
 * transformers do on Pillow and NumPy, bit for bit. `aspect` overrides the configured mode.
 */
export function preprocess(
  image: RgbImage,
  config: ImageProcessorConfig,
  aspect: AspectMode = config.aspect,
): PixelValues {
  const square = aspect === "pad" ? padToSquare(image, meanColour(config)) : image;
  return normalize(resizeAndCrop(square, config), config);
}

/** Resizes only what the crop keeps; black where the resized image is smaller than the crop. */
function resizeAndCrop(image: RgbImage, config: ImageProcessorConfig): RgbImage {
  const target = resizedSize(image, config.resize);
  const crop = config.crop ?? target;
  const { left, top } = centerRectangle(target, crop.width, crop.height);
  const kept = {
    left: Math.max(0, left),
    top: Math.max(0, top),
    width: Math.min(crop.width, target.width),
    height: Math.min(crop.height, target.height),
  };
  const resized = resize(image, target.width, target.height, config.resample, kept);
  if (kept.width === crop.width && kept.height === crop.height) return resized;
  return paste(resized, createImage(crop.width, crop.height), Math.max(0, -left), Math.max(0, -top));
}

/** The longer edge is cut down to a whole pixel. */
function resizedSize(
  image: RgbImage,
  rule: ImageProcessorConfig["resize"],
): { width: number; height: number } {
  if (rule === null) return image;
  if (!("shortestEdge" in rule)) return rule;
  const { width, height } = image;
  const short = rule.shortestEdge;
  if (width <= height) return { width: short, height: Math.trunc((short * height) / width) };
  return { width: Math.trunc((short * width) / height), height: short };
}

function normalize(image: RgbImage, config: ImageProcessorConfig): PixelValues {
  const { width, height } = image;
  return { data: openWorkspace().lookUp(image, tableOf(config)), channels: 3, height, width };
}

const tables = new WeakMap<ImageProcessorConfig, Float32Array>();

/** The values of all bytes, one channel after another. */
function tableOf(config: ImageProcessorConfig): Float32Array {
  let table = tables.get(config);
  if (table === undefined) {
    table = new Float32Array(3 * 256);
    for (const channel of [0, 1, 2]) table.set(valueOfByte(config, channel), channel * 256);
    tables.set(config, table);
  }
  return table;
}

/** A byte can become 256 values only. Each step rounds to float32, as NumPy's do. */
function valueOfByte({ rescaleFactor, normalize }: ImageProcessorConfig, channel: number): Float32Array {
  const values = Float32Array.from({ length: 256 }, (_, byte) => byte * (rescaleFactor ?? 1));
  if (normalize === null) return values;
  const mean = Math.fround(normalize.mean[channel]!);
  const std = Math.fround(normalize.std[channel]!);
  return values.map((value) => Math.fround(value - mean) / std);
}

function meanColour({ normalize }: ImageProcessorConfig): Colour {
  const byte = (mean: number) => Math.trunc(mean * 255);
  return normalize ? [byte(normalize.mean[0]), byte(normalize.mean[1]), byte(normalize.mean[2])] : [0, 0, 0];
}
