import { readFile, stat } from "node:fs/promises";
import { LlavaError } from "../../errors.ts";
import { describeBytes } from "../../files/index.ts";
import { type JpegHeader, readJpegHeader } from "./jpeg-header.ts";
import { decodeByLibrary, type LibraryHeader, readLibraryHeader, uprightSize } from "./library.ts";
import { type LimitNames, raising } from "./limits.ts";
import { readOwnFormat } from "./own/index.ts";
import { type Pixels, UnreadVariant } from "./pixels.ts";
import type { ImageSize, RgbImage } from "./rgb.ts";
import { type Transparency, type TransparentImage, withoutAlpha } from "./transparency.ts";
import { decodeJpeg } from "./turbojpeg.ts";

export type DecodeOptions = {
  /** Refused above this many pixels, read from the header before anything is decoded; 100 million. */
  maxPixels?: number;
  /** Refused above this many bytes of file; 256 MiB. */
  maxBytes?: number;
  /** Names the image in errors; the path where the input is one. */
  where?: string;
  /** What transparent pixels show; "drop" without it. */
  transparency?: Transparency;
  /** Told of an image with pixels that are not opaque. */
  onTransparency?: (found: TransparentImage) => void;
  /** How hints name these limits; those of a call's options without it. */
  limits?: LimitNames;
};

/** A small file of countless progressive scans would keep a decoder busy for minutes. */
const MOST_SCANS = 100;

/** An image whose header has been read, and whose pixels have not. */
export interface OpenedImage {
  /** As the image will be decoded: upright. */
  readonly size: ImageSize;
  /**
   * Its pixels as RGB, the first frame of an animation, turned as its EXIF or XMP orientation says: those of Pillow's
   * `convert("RGB")`. Colour profiles are not applied, and alpha is dropped and not blended unless `transparency` says
   * otherwise. AVIF is decoded by another library, which rounds otherwise and spreads chroma otherwise. Throws code "image"
   * for whatever cannot be decoded whole.
   */
  decode(): Promise<RgbImage>;
}

/** Decodes a file or its bytes (see `OpenedImage.decode`). */
export const decodeImage = async (
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<RgbImage> => (await openEncoded(input, options)).decode();

/** Reads a file, or its bytes, up to its pixels. Throws code "image" for what is none, or is larger than may be decoded. */
export async function openEncoded(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<OpenedImage> {
  const { maxPixels = 100_000_000, maxBytes = 256 * 1024 * 1024 } = options;
  const where = options.where ?? (typeof input === "string" ? input : "image");
  const bytes =
    typeof input === "string" ? await readImageFile(input, { ...options, maxBytes, where }) : input;
  if (bytes.length === 0) {
    throw new LlavaError("image", `${where}: the file is empty`, { hint: "get the file again" });
  }
  if (bytes.length > maxBytes) throw tooManyBytes(where, bytes.length, maxBytes, options.limits);
  const header = await readHeader(bytes, where);
  const pixels = header.width * header.height;
  if (pixels > maxPixels) {
    throw new LlavaError(
      "image",
      `${where}: ${header.width}×${header.height} is ${pixels} pixels, the limit is ${maxPixels}`,
      { hint: `scale it down first${raising("maxPixels", options.limits)}` },
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
  const decode = async (): Promise<RgbImage> => {
    let decoded: Pixels;
    try {
      decoded = await header.decode();
    } catch (cause) {
      if (cause instanceof UnreadVariant) throw unread(where, describeBytes(bytes), cause);
      throw new LlavaError("image", `${where}: damaged or cut short: ${reason(cause)}`, {
        hint: "get the file again",
        cause,
      });
    }
    const { image, found } = withoutAlpha(decoded, options.transparency ?? "drop");
    if (found) options.onTransparency?.({ where, ...found });
    return image;
  };
  return { size: header.upright, decode };
}

async function readImageFile(
  path: string,
  { maxBytes, where, limits }: DecodeOptions & { maxBytes: number; where: string },
): Promise<Uint8Array> {
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
    if (info.size > maxBytes) throw tooManyBytes(where, info.size, maxBytes, limits);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG") {
      throw new LlavaError("image", `${where}: no such file`, { hint: "check the path", cause });
    }
    throw new LlavaError("image", `${where}: cannot be read: ${reason(cause)}`, {
      hint: "check that it may be read",
      cause,
    });
  }
}

interface Header extends ImageSize {
  /** Its size when it is turned upright. */
  readonly upright: ImageSize;
  readonly jpeg?: JpegHeader;
  readonly decode: () => Pixels | Promise<Pixels>;
}

async function readHeader(bytes: Uint8Array, where: string): Promise<Header> {
  const jpeg = readJpegHeader(bytes);
  if (jpeg) return readJpeg(bytes, jpeg);
  let cause: unknown;
  try {
    const own = readOwnFormat(bytes);
    if (own !== undefined && !("png" in own))
      return { width: own.width, height: own.height, upright: own, decode: () => own.decode() };
    const header = await readLibraryHeader(own === undefined ? bytes : own.png);
    if (header) return { ...header, upright: uprightSize(header), decode: () => decodeByLibrary(header) };
  } catch (error) {
    cause = error;
  }
  const kind = describeBytes(bytes);
  if (cause instanceof UnreadVariant) throw unread(where, kind, cause);
  if (readKinds.test(kind)) {
    throw new LlavaError("image", `${where}: ${kind} with a damaged header: ${reason(cause)}`, {
      hint: "get the file again",
      cause,
    });
  }
  if (/ image$|^an icon|^a cursor/.test(kind)) {
    throw new LlavaError("image", `${where}: is ${kind}, a kind that is not read`, {
      hint: `convert it to JPEG or PNG first; read are ${kindNames}`,
      cause,
    });
  }
  throw new LlavaError("image", `${where}: looks like ${kind}, expected an image`, {
    hint: `${wayOut(kind)}; read are ${kindNames}`,
    cause,
  });
}

const unread = (where: string, kind: string, cause: UnreadVariant): LlavaError =>
  new LlavaError("image", `${where}: ${kind} of a sort that is not read: ${cause.message}`, {
    hint: "save it in a plainer form, such as PNG",
    cause,
  });

const kindNames = "JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP, Netpbm, TGA and ICO";
const readKinds = /^(an? (JPEG|PNG|WebP|GIF|TIFF|AVIF|BMP|Netpbm) image|an icon of Windows)$/;

/** What to do about a file that is something else. */
function wayOut(kind: string): string {
  if (kind.startsWith("a Git LFS pointer")) return "fetch the file itself (git lfs pull)";
  if (/ archive$/.test(kind)) return "unpack it, and give an image from within";
  if (/video/.test(kind)) return "save a frame of it as an image";
  if (/ document$|drawing$/.test(kind)) return "save the page or the drawing as PNG";
  if (/HTML|JSON|XML|^text/.test(kind)) return "check the path or address, which leads to text";
  return "check the path, or get the file again";
}

async function readJpeg(bytes: Uint8Array, jpeg: JpegHeader): Promise<Header> {
  const { width, height, isUpright, components } = jpeg;
  const size = { width, height };
  // What is wrong is told when the pixels are asked for.
  const turned = isUpright ? undefined : await readLibraryHeader(bytes).catch(() => undefined);
  const decode = async (): Promise<Pixels> => {
    const data = isUpright && components !== 4 ? await decodeJpeg(bytes, jpeg) : undefined;
    return data ? { ...size, channels: 3, data } : decodeByLibrary(turned ?? (await libraryHeader(bytes)));
  };
  return { ...size, upright: turned ? uprightSize(turned) : size, jpeg, decode };
}

async function libraryHeader(bytes: Uint8Array): Promise<LibraryHeader> {
  const header = await readLibraryHeader(bytes);
  if (header === undefined) throw new Error("not a JPEG image");
  return header;
}

function tooManyBytes(
  where: string,
  bytes: number,
  maxBytes: number,
  limits: LimitNames | undefined,
): LlavaError {
  return new LlavaError("image", `${where}: ${bytes} bytes, the limit is ${maxBytes}`, {
    hint: `scale it down first${raising("maxBytes", limits)}`,
  });
}

/** The first line of what a library said. */
function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!.replace(/[:\s]+$/, "");
}
