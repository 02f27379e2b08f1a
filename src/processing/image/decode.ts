import { readFile, stat } from "node:fs/promises";
import sharp, { type Metadata } from "sharp";
import { LlavaError } from "../../errors.ts";
import { describeBytes } from "../../formats/index.ts";
import { withoutTransparency } from "./gif.ts";
import { type JpegHeader, readJpegHeader } from "./jpeg-header.ts";
import type { RgbImage } from "./rgb.ts";
import { decodeJpeg } from "./turbojpeg.ts";

export type DecodeOptions = {
  /** Refused above this many pixels, read from the header before anything is decoded; 100 million. */
  maxPixels?: number;
  /** Refused above this many bytes of file; 256 MiB. */
  maxBytes?: number;
  /** Names the image in errors; the path where the input is one. */
  where?: string;
};

/** A small file of countless progressive scans would keep a decoder busy for minutes. */
const MOST_SCANS = 100;

const FORMATS = new Set(["jpeg", "png", "webp", "gif", "tiff", "heif"]);

/**
 * Decodes a file or its bytes to RGB, the first frame of an animation, turned as its EXIF orientation says.
 *
 * The pixels are those of Pillow's `convert("RGB")`: alpha is dropped and not blended, colour profiles are
 * not applied. Two kinds differ on purpose: 16-bit grey keeps its high byte instead of clipping at 255, and
 * HEIF/AVIF is decoded by another library. Throws code "image" for whatever cannot be decoded whole.
 */
export async function decodeImage(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<RgbImage> {
  const { maxPixels = 100_000_000, maxBytes = 256 * 1024 * 1024 } = options;
  const where = options.where ?? (typeof input === "string" ? input : "image");
  const bytes = typeof input === "string" ? await readImageFile(input, maxBytes, where) : input;
  if (bytes.length === 0) {
    throw new LlavaError("image", `${where}: the file is empty`, { hint: "get the file again" });
  }
  if (bytes.length > maxBytes) throw tooManyBytes(where, bytes.length, maxBytes);
  const header = await readHeader(bytes, where);
  const pixels = header.width * header.height;
  if (pixels > maxPixels) {
    throw new LlavaError(
      "image",
      `${where}: ${header.width}×${header.height} is ${pixels} pixels, the limit is ${maxPixels}`,
      { hint: "scale it down first, or raise maxPixels if you trust the source" },
    );
  }
  if (header.jpeg && header.jpeg.scans > MOST_SCANS) {
    throw new LlavaError(
      "image",
      `${where}: its pixels come in ${header.jpeg.scans} scans, the limit is ${MOST_SCANS}`,
      {
        hint: "no camera writes such a file: save it anew if you trust the source",
      },
    );
  }
  try {
    return await decodePixels(bytes, header);
  } catch (cause) {
    throw new LlavaError("image", `${where}: damaged or cut short: ${reason(cause)}`, {
      hint: "get the file again",
      cause,
    });
  }
}

async function readImageFile(path: string, maxBytes: number, where: string): Promise<Uint8Array> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) {
      throw new LlavaError("image", `${where}: is a directory, expected an image file`, {
        hint: "give the path of one image; several take an option each",
      });
    }
    if (!info.isFile()) {
      throw new LlavaError("image", `${where}: is not a regular file`, { hint: "give a file's path" });
    }
    if (info.size > maxBytes) throw tooManyBytes(where, info.size, maxBytes);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new LlavaError("image", `${where}: no such file`, { hint: "check the path", cause });
    }
    throw new LlavaError("image", `${where}: cannot be read: ${reason(cause)}`, {
      hint: "check that it may be read",
      cause,
    });
  }
}

type Header = Pick<Metadata, "width" | "height" | "format"> & {
  readonly isCmyk: boolean;
  readonly jpeg?: JpegHeader;
};

async function readHeader(bytes: Uint8Array, where: string): Promise<Header> {
  const jpeg = readJpegHeader(bytes);
  if (jpeg) return { ...jpeg, format: "jpeg", isCmyk: jpeg.components === 4, jpeg };
  let cause: unknown;
  try {
    const header = await sharp(bytes, { limitInputPixels: false, failOn: "none" }).metadata();
    if (FORMATS.has(header.format)) return { ...header, isCmyk: header.space === "cmyk" };
  } catch (error) {
    cause = error;
  }
  const kind = describeBytes(bytes);
  if (/^an? (JPEG|PNG|GIF|WebP|TIFF|AVIF) image$/.test(kind)) {
    throw new LlavaError("image", `${where}: ${kind} with a damaged header: ${reason(cause)}`, {
      hint: "get the file again",
      cause,
    });
  }
  throw new LlavaError("image", `${where}: looks like ${kind}, expected an image`, {
    hint: "give a JPEG, PNG, WebP, GIF, TIFF or AVIF file",
    cause,
  });
}

async function decodePixels(bytes: Uint8Array, { format, isCmyk, jpeg }: Header): Promise<RgbImage> {
  if (jpeg?.isUpright && !isCmyk) {
    const data = await decodeJpeg(bytes, jpeg);
    if (data) return { width: jpeg.width, height: jpeg.height, data };
  }
  const source = format === "gif" ? withoutTransparency(bytes) : bytes;
  const decoder = sharp(source, {
    limitInputPixels: false, // the header has been checked
    failOn: "error",
    autoOrient: true,
    ignoreIcc: true,
    sequentialRead: true,
  });
  // Staying in CMYK keeps the decoder from converting through a colour profile.
  const converted = isCmyk
    ? decoder.pipelineColourspace("cmyk").toColourspace("cmyk")
    : decoder.removeAlpha().toColourspace("srgb");
  const { data, info } = await converted.raw().toBuffer({ resolveWithObject: true });
  const rgb = isCmyk ? cmykToRgb(data, info.channels) : data;
  return {
    width: info.width,
    height: info.height,
    data: new Uint8Array(rgb.buffer, rgb.byteOffset, rgb.length),
  };
}

/** Ink without a profile: each colour is (255 − ink) scaled by what the black lets through. */
function cmykToRgb(inks: Uint8Array, channels: number): Uint8Array {
  const pixels = inks.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const light = 255 - inks[pixel * channels + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      const product = inks[pixel * channels + channel]! * light + 128;
      rgb[pixel * 3 + channel] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

function tooManyBytes(where: string, bytes: number, maxBytes: number): LlavaError {
  return new LlavaError("image", `${where}: ${bytes} bytes, the limit is ${maxBytes}`, {
    hint: "raise maxBytes if you trust the source",
  });
}

/** The first line of what a library said. */
function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!.replace(/[:\s]+$/, "");
}
