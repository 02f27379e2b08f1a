import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../errors.ts";
import { imageType, unreadable } from "../files/index.ts";
import { heldBytes, type ImageSource } from "../protocol/index.ts";

/** Largest image that is sent: what the usual endpoints take. */
const defaultMaxImageBytes = 20 * 2 ** 20;

/**
 * An image as endpoints take it: files and bytes become `data:` URLs, `http:`, `https:` and `data:` URLs stay.
 * @throws LlavaError "image", naming the file, for one that cannot be read, is too large, or of no known format
 */
export async function imageUrl(image: ImageSource, maxBytes = defaultMaxImageBytes): Promise<string> {
  const bytes = await heldBytes(image);
  if (bytes !== undefined) return dataUrl(bytes, "an image", maxBytes);
  const text = String(image);
  if (/^(https?|data):/i.test(text)) return text;
  const path = /^file:/i.test(text) ? fileURLToPath(text) : text;
  return dataUrl(await readImage(path, maxBytes), path, maxBytes);
}

async function readImage(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw tooLarge(path, size, maxBytes);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw unreadable(path, cause, "image");
  }
}

function dataUrl(bytes: Uint8Array, what: string, maxBytes: number): string {
  if (bytes.length > maxBytes) throw tooLarge(what, bytes.length, maxBytes);
  const type = sniffImageType(bytes);
  if (type === undefined)
    throw new LlavaError("image", `${what}: not an image of a known format (${bytes.length} bytes)`, {
      hint: "Endpoints take PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF.",
    });
  const { buffer, byteOffset, length } = bytes;
  return `data:${type};base64,${Buffer.from(buffer, byteOffset, length).toString("base64")}`;
}

const tooLarge = (what: string, size: number, maxBytes: number): LlavaError =>
  new LlavaError("image", `${what}: has ${size} bytes; at most ${maxBytes} are sent`, {
    hint: "Make the image smaller, or raise the limit if the endpoint takes larger ones.",
  });

/** The media type that the first bytes tell, whatever the file is called. */
function sniffImageType(bytes: Uint8Array): string | undefined {
  const type = imageType(bytes);
  return type && `image/${type}`;
}
