import { resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import {
  type ImageSize,
  type OpenedImage,
  openEncoded,
  type PixelValues,
  releaseMemory,
} from "../../processing/image/index.ts";
import type { EncodedRow, ImageView, Processor } from "../../processing/processor/index.ts";
import { type LlavaRow, RowError, type RowImage, rowError } from "../../protocol/index.ts";
import { encodeWithin, type RowRules } from "./encode-within.ts";

/** Rows with the images that they are about. */
export interface LoadRequest {
  /** What names of images are relative to. */
  readonly folder: string;
  /** Images to make pixels of, each once. */
  readonly images: readonly RowImage[];
  /** Whether images are seen mirrored. */
  readonly mirrored?: boolean;
  /** Rows to encode. Their images may be kept elsewhere. */
  readonly rows?: readonly LlavaRow[];
  /** Of images that are kept elsewhere, where they are not seen whole. */
  readonly sizes?: ReadonlyMap<string, ImageSize>;
  /** How the rows become ids; rows of any length are taken without it. */
  readonly rules?: RowRules;
}

export interface LoadedRows {
  /** Ids and labels in the order of the rows; an error for one that cannot be used. */
  readonly rows: readonly (EncodedRow | RowError)[];
  /** In the order of the images; an error for one that cannot be decoded. */
  readonly pixels: readonly (PixelValues | LlavaError)[];
  /** Of the images, upright; undefined for one that cannot be opened. */
  readonly sizes: readonly (ImageSize | undefined)[];
}

/** Loads rows and their images together, here or in other threads. Errors of another kind are thrown. */
export interface RowLoader extends Disposable {
  /** Whether other threads do the work, so that it is worth asking before it is needed. */
  readonly isBackground: boolean;
  load(request: LoadRequest): Promise<LoadedRows>;
}

/** Loads in this thread. */
export const rowLoaderHere = (processor: Processor): RowLoader => ({
  isBackground: false,
  load: (request) => loadRows(request, processor),
  [Symbol.dispose]() {},
});

const anyLength: RowRules = { maxTokens: Number.POSITIVE_INFINITY, truncates: false, turnMarks: "refuse" };

/** Images are opened first: their headers decide how many tokens they take in the rows. */
export async function loadRows(
  { folder, images, mirrored = false, rows = [], sizes: known = new Map(), rules = anyLength }: LoadRequest,
  processor: Processor,
): Promise<LoadedRows> {
  const opened = await Promise.all(images.map((image) => openRowImage(image, folder, processor)));
  const sizes = new Map([
    ...known,
    ...opened.flatMap((image, at): [string, ImageSize][] =>
      image instanceof LlavaError ? [] : [[images[at]!.name, image.size]],
    ),
  ]);
  const encode = (row: LlavaRow): EncodedRow => {
    const broken = processor.imageConfig.tiling && row.images.find(({ name }) => !sizes.has(name));
    // Where tokens depend on sizes, a row about an image that has none cannot be made; the image's own error tells why.
    if (broken) throw rowError(row, "broken", `${broken.name} cannot be opened`, "Get the image again.");
    const layouts = processor.layoutsOf(row.images.map(({ name }) => sizes.get(name)));
    return encodeWithin(row, processor, layouts, rules);
  };
  const encoded = rows.map((row) => orRefused(() => encode(row)));
  // Rows of a request that are about an image see it alike: they are about the same images.
  const layouts = new Map(
    encoded.flatMap((row) =>
      row instanceof RowError ? [] : row.images.map((name, at) => [name, row.layouts[at]!] as const),
    ),
  );
  const pixels = opened.map((image, at) =>
    pixelsOf(image, processor, { mirrored, layout: layouts.get(images[at]!.name) }),
  );
  return {
    rows: encoded,
    pixels: await Promise.all(pixels),
    sizes: images.map(({ name }) => sizes.get(name)),
  };
}

function openRowImage(
  { name, bytes }: RowImage,
  folder: string,
  { imageConfig: { transparency = "drop" } }: Processor,
): Promise<OpenedImage | LlavaError> {
  const path = resolve(folder, name);
  const options = { where: bytes ? name : path, limits: {}, transparency };
  return openEncoded(bytes ?? path, options).catch(undecodable);
}

async function pixelsOf(
  image: OpenedImage | LlavaError,
  processor: Processor,
  view: ImageView,
): Promise<PixelValues | LlavaError> {
  if (image instanceof LlavaError) return image;
  const decoded = await image.decode().catch(undecodable);
  if (decoded instanceof LlavaError) return decoded;
  const pixels = processor.pixels(decoded, view);
  releaseMemory(decoded.data);
  return pixels;
}

function undecodable(error: unknown): LlavaError {
  if (error instanceof LlavaError && error.code === "image") return error;
  throw error;
}

function orRefused(encode: () => EncodedRow): EncodedRow | RowError {
  try {
    return encode();
  } catch (error) {
    if (error instanceof RowError) return error;
    throw error;
  }
}
