import { LlavaError } from "../../errors.ts";
import type { PixelValues } from "../../processing/image/index.ts";
import type { EncodedRow, MediumShape, Processor } from "../../processing/processor/index.ts";
import { type LlavaRow, mediumKey, RowError, type RowImage } from "../../protocol/index.ts";
import { encodeWithin, type RowRules } from "./encode-within.ts";
import { layoutsOfRow, openRowMedium, undecodable } from "./row-media.ts";

/** Rows with the images and videos that they are about. */
export interface LoadRequest {
  /** What names of images and videos are relative to. */
  readonly folder: string;
  /** Images and videos to make pixels of, each once. */
  readonly images: readonly RowImage[];
  /** Whether images are seen mirrored. */
  readonly mirrored?: boolean;
  /** Rows to encode. Their images and videos may be kept elsewhere. */
  readonly rows?: readonly LlavaRow[];
  /** Of those that are kept elsewhere, by their keys (`mediumKey`): of videos, and of images that are not seen whole. */
  readonly shapes?: ReadonlyMap<string, MediumShape>;
  /** How the rows become ids; rows of any length are taken without it. */
  readonly rules?: RowRules;
}

export interface LoadedRows {
  /** Ids and labels in the order of the rows; an error for one that cannot be used. */
  readonly rows: readonly (EncodedRow | RowError)[];
  /** In the order of the images; an error for one that cannot be decoded. */
  readonly pixels: readonly (PixelValues | LlavaError)[];
  /** Of the images and videos; undefined for one that cannot be opened. */
  readonly shapes: readonly (MediumShape | undefined)[];
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

/** Images and videos are opened first: how large they are decides how many tokens they take in the rows. */
export async function loadRows(
  { folder, images, mirrored = false, rows = [], shapes: known = new Map(), rules = anyLength }: LoadRequest,
  processor: Processor,
): Promise<LoadedRows> {
  const opened = await Promise.all(
    images.map((image) => openRowMedium(image, folder, processor).catch(undecodable)),
  );
  const shapes = new Map([
    ...known,
    ...opened.flatMap((medium, at): [string, MediumShape][] =>
      medium instanceof LlavaError ? [] : [[mediumKey(images[at]!), medium.shape]],
    ),
  ]);
  const encoded = rows.map((row) =>
    orRefused(() => encodeWithin(row, processor, layoutsOfRow(row, shapes, processor), rules)),
  );
  // Rows of a request that are about an image see it alike: they are about the same images.
  const layouts = new Map(
    encoded.flatMap((row) =>
      row instanceof RowError ? [] : row.images.map((key, at) => [key, row.layouts[at]!] as const),
    ),
  );
  const pixels = opened.map((medium, at) =>
    medium instanceof LlavaError
      ? medium
      : medium.pixels({ mirrored, layout: layouts.get(mediumKey(images[at]!)) }).catch(undecodable),
  );
  return {
    rows: encoded,
    pixels: await Promise.all(pixels),
    shapes: images.map((image) => shapes.get(mediumKey(image))),
  };
}

function orRefused(encode: () => EncodedRow): EncodedRow | RowError {
  try {
    return encode();
  } catch (error) {
    if (error instanceof RowError) return error;
    throw error;
  }
}
