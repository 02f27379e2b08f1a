import { describeBytes } from "../../../files/index.ts";
import type { Picture } from "../pixels.ts";
import { readBmp } from "./bmp.ts";
import { readGif } from "./gif.ts";
import { readIco } from "./ico.ts";
import { readNetpbm } from "./netpbm.ts";
import { readTga } from "./tga.ts";

const readers: Readonly<
  Record<string, (bytes: Uint8Array) => Picture | { readonly png: Uint8Array } | undefined>
> = {
  "a GIF image": readGif,
  "a BMP image": readBmp,
  "a Netpbm image": readNetpbm,
  "an icon of Windows": readIco,
};

/**
 * Reads the header of a file whose kind is decoded here and not by a library; an icon may hold a PNG file instead.
 * undefined for other kinds. @throws Error for a header that is damaged or of a variant that is not read
 */
export function readOwnFormat(bytes: Uint8Array): Picture | { readonly png: Uint8Array } | undefined {
  const kind = describeBytes(bytes);
  const read = readers[kind] ?? (kind === "binary data of an unknown kind" ? readTga : undefined);
  try {
    return read?.(bytes);
  } catch (error) {
    throw error instanceof RangeError ? new Error("it ends early", { cause: error }) : error;
  }
}
