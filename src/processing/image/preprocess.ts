import type { ImageProcessorConfig } from "./config.ts";
import { centerRectangle, cropAt, padToSquare, paste } from "./geometry.ts";
import { type ImageLayout, layoutOf, type TiledLayout } from "./layout.ts";
import { resize } from "./resample.ts";
import { openWorkspace } from "./resampleWorkspace.ts";
import { type Colour, createImage, type RgbImage } from "./rgb.ts";
import { sizeOnCanvas } from "./tiles.ts";

/** Values of one image for the vision tower, planes of red, green and blue of each tile: [tiles, 3, height, width]. */
export type PixelValues = {
  readonly data: Float32Array;
  readonly tiles: number;
  readonly channels: 3;
  readonly height: number;
  readonly width: number;
};

/**
 * Resize, centre crop, rescale and normalise one image, or each tile of one, as CLIPImageProcessor, LlavaImageProcessor,
 * LlavaNextImageProcessor, LlavaOnevisionImageProcessor and SiglipImageProcessor of transformers do on Pillow and NumPy, bit
 * for bit.
 * @param layout that the image has in its prompt
 * @param into where the values are written, if not to memory of their own
 */
export function preprocess(
  image: RgbImage,
  config: ImageProcessorConfig,
  layout: ImageLayout = layoutOf(image, config),
  into?: Float32Array,
): PixelValues {
  if (layout.tiles === "anyres") return normalize(cutTiles(image, layout, config), config, into);
  if (layout.tiles === "overview") return normalize([overviewOf(image, config)], config, into);
  const isPadded = layout.tiles === "padded" || config.aspect === "pad";
  const square = isPadded ? padToSquare(image, meanColour(config)) : image;
  return normalize([resizeAndCrop(square, config)], config, into);
}

/** Tiles of one size, those of all images one after another. */
export function joinPixels(images: readonly PixelValues[]): PixelValues {
  const [first] = images as [PixelValues];
  if (images.length === 1) return first;
  const data = new Float32Array(images.reduce((sum, image) => sum + image.data.length, 0));
  let start = 0;
  for (const image of images) {
    data.set(image.data, start);
    start += image.data.length;
  }
  return { ...first, data, tiles: images.reduce((sum, { tiles }) => sum + tiles, 0) };
}

/**
 * Values of so many images of one size, one after another in memory that is taken once.
 * @param valuesOf an image, written into what is given, where something is
 * @throws RangeError where there are fewer or more, or one is of another size
 */
export async function gatherPixels(
  images: AsyncIterable<RgbImage>,
  count: number,
  valuesOf: (image: RgbImage, into?: Float32Array) => PixelValues,
): Promise<PixelValues> {
  let first: PixelValues | undefined;
  let data = new Float32Array();
  let seen = 0;
  for await (const image of images) {
    if (first === undefined) {
      first = valuesOf(image);
      data = new Float32Array(count * first.data.length);
      data.set(first.data);
    } else valuesOf(image, data.subarray(seen * first.data.length, (seen + 1) * first.data.length));
    seen++;
  }
  if (first === undefined || seen !== count)
    throw new RangeError(`expected ${count} images, but there are ${seen}`);
  return { ...first, data, tiles: first.tiles * count };
}

/** The whole image, squeezed into a square, and the tiles of its canvas, which is black beside it. */
function cutTiles(image: RgbImage, { canvas, grid }: TiledLayout, config: ImageProcessorConfig): RgbImage[] {
  const { tiling, resample } = config;
  const { side } = tiling!;
  const { width, height } = sizeOnCanvas(image, canvas);
  const resized = resize(image, width, height, resample);
  const left = -Math.floor((canvas.width - width) / 2);
  const top = -Math.floor((canvas.height - height) / 2);
  const tiles = [overviewOf(image, config)];
  for (let row = 0; row < grid.rows; row++)
    for (let column = 0; column < grid.columns; column++)
      tiles.push(
        cropAt(resized, { left: left + column * side, top: top + row * side, width: side, height: side }),
      );
  return tiles;
}

const overviewOf = (image: RgbImage, { tiling, resample }: ImageProcessorConfig): RgbImage =>
  resize(image, tiling!.side, tiling!.side, resample);

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
  const resized = resize(image, target.width, target.height, config.resample, kept, config.arithmetic);
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

/** Tiles are of one size. */
function normalize(
  tiles: readonly RgbImage[],
  config: ImageProcessorConfig,
  into?: Float32Array,
): PixelValues {
  const { width, height } = tiles[0]!;
  const values = 3 * width * height;
  const data = into ?? new Float32Array(tiles.length * values);
  if (data.length !== tiles.length * values)
    throw new RangeError(`expected room for ${tiles.length * values} values, but there is ${data.length}`);
  const table = tableOf(config);
  for (const [index, tile] of tiles.entries())
    openWorkspace().lookUp(tile, table, data.subarray(index * values, (index + 1) * values));
  return { data, tiles: tiles.length, channels: 3, height, width };
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
