import sharp, { type Metadata } from "sharp";
import { hasOwnTurn, isLimitedGrey, withAvifBrand } from "./avif.ts";
import { readDirectory, tags } from "./exif.ts";
import { exifOrientation, orientationOf, turnUpright, xmpOrientation } from "./orientation.ts";
import { fullPalette, lookUp, type Pixels, UnreadVariant } from "./pixels.ts";
import { lateMetadata } from "./png.ts";
import type { ImageSize } from "./rgb.ts";
import { compressedYcc, plainYcc, yccToRgb } from "./ycc.ts";

/** What the library says of a file, and how it is to be read. */
export interface LibraryHeader
  extends Pick<Metadata, "width" | "height" | "format" | "space" | "depth" | "channels" | "hasAlpha"> {
  /** The file as the library takes it. */
  readonly bytes: Uint8Array;
  /** How the image lies; 1 where the library turns it by itself. */
  readonly orientation: number;
  readonly turnsItself: boolean;
  /** Whether rows and columns change places when the image is turned upright. */
  readonly isTransposed: boolean;
  readonly isCmyk: boolean;
}

const FORMATS = new Set(["jpeg", "png", "webp", "tiff", "heif"]);

/** undefined for a kind that is not read. @throws Error for a header that is damaged */
export async function readLibraryHeader(file: Uint8Array): Promise<LibraryHeader | undefined> {
  const bytes = withAvifBrand(withoutOddOrientation(file));
  requireColours(bytes);
  const metadata = await sharp(bytes, { limitInputPixels: false, failOn: "none" }).metadata();
  if (!FORMATS.has(metadata.format)) return undefined;
  const isCmyk = metadata.space === "cmyk";
  const orientation = orientationIn(bytes, metadata);
  const turnsItself = metadata.format === "heif" ? orientation === 1 : orientation === metadata.orientation;
  // HEIF's own turns are done before its size is told.
  const isTransposed = orientation >= 5 && orientation <= 8;
  return {
    ...metadata,
    bytes,
    orientation: turnsItself ? 1 : orientation,
    turnsItself,
    isTransposed,
    isCmyk,
  };
}

export const uprightSize = ({ width, height, isTransposed }: LibraryHeader): ImageSize =>
  isTransposed ? { width: height, height: width } : { width, height };

function orientationIn(bytes: Uint8Array, metadata: Metadata): number {
  if (metadata.format === "heif") {
    const isTold = hasOwnTurn(bytes) || exifOrientation(metadata.exif) !== undefined;
    return isTold || metadata.xmp === undefined ? 1 : xmpOrientation(metadata.xmp);
  }
  if (metadata.format === "png") return orientationOf({ ...metadata, ...lateMetadata(bytes) });
  if (metadata.format !== "tiff") return orientationOf(metadata);
  const directory = readDirectory(bytes);
  if (directory === undefined) return metadata.orientation ?? 1; // a BigTIFF
  return directory.get(tags.orientation)?.values[0] ?? orientationOf(metadata);
}

const isTiff = ([first, second]: Uint8Array): boolean =>
  first === second && (first === 0x49 || first === 0x4d);

/** The library refuses a TIFF file over an orientation that does not exist; Pillow leaves such an image as it lies. */
function withoutOddOrientation(bytes: Uint8Array): Uint8Array {
  if (!isTiff(bytes)) return bytes;
  const entry = readDirectory(bytes)?.get(tags.orientation);
  const [value = 1] = entry?.values ?? [];
  if (entry === undefined || (value >= 1 && value <= 8)) return bytes;
  const copy = new Uint8Array(bytes);
  new DataView(copy.buffer).setUint16(entry.at, 1, entry.isLittle);
  return copy;
}

/** The library would read Lab as damage, and numbers with a sign without it. */
function requireColours(bytes: Uint8Array): void {
  const directory = isTiff(bytes) ? readDirectory(bytes) : undefined;
  const value = (tag: number): number | undefined => directory?.get(tag)?.values[0];
  const [SIGNED, labs] = [2, [8, 9, 10]];
  if (labs.includes(value(tags.photometric) ?? 0)) throw new UnreadVariant("its colours are in Lab");
  if (value(tags.sampleFormat) === SIGNED && value(tags.bits) === 16)
    throw new UnreadVariant("its pixels are 16 bits with a sign");
}

/** All of a file's pixels, upright, with alpha if it has any. @throws Error for what is damaged or cut short */
export async function decodeByLibrary(header: LibraryHeader): Promise<Pixels> {
  const pixels = await readPixels(header);
  return turnUpright(pixels, header.orientation);
}

async function readPixels(header: LibraryHeader): Promise<Pixels> {
  const decoder = sharp(header.bytes, {
    limitInputPixels: false, // the header has been checked
    failOn: "error",
    autoOrient: header.turnsItself,
    ignoreIcc: true,
    sequentialRead: true,
  });
  if (header.isCmyk) {
    const ink = decoder.pipelineColourspace("cmyk").toColourspace("cmyk");
    return cmykToRgb(header.depth === "ushort" ? highBytes(await raw(ink, "ushort")) : await raw(ink));
  }
  // Pillow takes grey with a sign for grey without.
  if (header.depth === "char") return spreadGrey(await raw(decoder.toColourspace("b-w"), "char"));
  if (header.space === "grey16")
    return clippedGrey(await raw(decoder.toColourspace("grey16"), "ushort"), header);
  const { channels, ...found } = await raw(decoder.toColourspace("srgb"));
  if (channels !== 3 && channels !== 4) throw new Error(`${channels} channels, expected 3 or 4`);
  const pixels: Pixels = { ...found, channels };
  if (header.format === "tiff") return yccOf(pixels, header.bytes);
  if (header.format === "heif" && isLimitedGrey(header.bytes)) return fullRange(pixels);
  return pixels;
}

interface Raw {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

async function raw(
  decoder: ReturnType<typeof sharp>,
  depth: "uchar" | "char" | "ushort" = "uchar",
): Promise<Raw> {
  const { data, info } = await decoder.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

function highBytes({ data, ...image }: Raw): Raw {
  const values = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  return { ...image, data: Uint8Array.from(values, (value) => value >> 8) };
}

function spreadGrey({ width, height, channels, data }: Raw): Pixels {
  const grey = Uint8Array.from({ length: width * height }, (_, pixel) => data[pixel * channels]!);
  return lookUp(grey, { width, height }, fullPalette(undefined));
}

/** Ink without a profile: each colour is (255 − ink) scaled by what the black lets through. */
function cmykToRgb({ width, height, channels, data: inks }: Raw): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const light = 255 - inks[pixel * channels + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      const product = inks[pixel * channels + channel]! * light + 128;
      data[pixel * 3 + channel] = light - (((product >> 8) + product) >> 8);
    }
  }
  return { width, height, channels: 3, data };
}

/**
 * Grey of 16 bits, which Pillow's `convert("RGB")` cuts at 255, so that scans of 12 bits and depth maps keep their low values;
 * with alpha in a PNG file, Pillow reads the high bytes instead.
 */
function clippedGrey({ width, height, channels, data }: Raw, header: LibraryHeader): Pixels {
  const values = new Uint16Array(data.buffer, data.byteOffset, width * height * channels);
  const hasOwnAlpha = channels === 2 && header.format === "png" && header.bytes[25] === GREY_ALPHA;
  // TIFF files whose zero is white are turned round by the library, not by Pillow.
  const isInverted =
    header.format === "tiff" && readDirectory(header.bytes)?.get(tags.photometric)?.values[0] === 0;
  const to = channels === 2 ? 4 : 3;
  const out = new Uint8Array(width * height * to);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const value = isInverted ? 65535 - values[pixel * channels]! : values[pixel * channels]!;
    out.fill(hasOwnAlpha ? value >> 8 : Math.min(255, value), pixel * to, pixel * to + 3);
    if (to === 4) out[pixel * 4 + 3] = values[pixel * 2 + 1]! >> 8;
  }
  return { width, height, channels: to, data: out };
}

const GREY_ALPHA = 4;

/** A TIFF file's luma and chroma, which the library hands on as they are where no JPEG decoder converts them. */
function yccOf(pixels: Pixels, bytes: Uint8Array): Pixels {
  const directory = readDirectory(bytes);
  const [JPEG, YCBCR, PLAIN] = [7, 6, 1];
  const compression = directory?.get(tags.compression)?.values[0];
  if (directory?.get(tags.photometric)?.values[0] !== YCBCR || compression === JPEG) return pixels;
  const subsampling = directory.get(tags.subsampling)?.values ?? [2, 2];
  if (subsampling.some((step) => step !== 1))
    throw new UnreadVariant("its chroma has fewer pixels than its luma, but is not packed as JPEG");
  return yccToRgb(pixels, compression === PLAIN ? plainYcc : compressedYcc);
}

/** Luma from 16 to 235 spread over a byte. */
function fullRange({ data, ...pixels }: Pixels): Pixels {
  const out = data.map((value, at) =>
    pixels.channels === 4 && at % 4 === 3
      ? value
      : Math.min(255, Math.max(0, Math.round(((value - 16) * 255) / 219))),
  );
  return { ...pixels, data: out };
}
