import { LlavaError } from "../errors.ts";

/** A file's path, an `http:`, `https:`, `file:` or `data:` URL, or an encoded image: its bytes or their base64. */
export type ImageSource = string | URL | ArrayBufferLike | ArrayBufferView | Blob;

/** How base64 of a JPEG, PNG, GIF, WebP, TIFF or AVIF file begins. */
const base64Heads = /^(?:\/9j\/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK|AAAA[A-Za-z0-9+/]{4}ZnR5c)/;

/** Whether a text is an encoded image in base64, by its first bytes; no path looks so. */
export const isBase64Image = (text: string): boolean =>
  text.length >= 60 && base64Heads.test(text) && /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(text);

/** The bytes of a source that holds them itself; undefined for a path and an address. */
export async function heldBytes(source: ImageSource): Promise<Uint8Array | undefined> {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  return typeof source === "string" && isBase64Image(source) ? Buffer.from(source, "base64") : undefined;
}

/** @throws LlavaError "image", beginning with `where`, for a value that is no image source */
export function requireImageSource(value: unknown, where: string): ImageSource {
  const isSource =
    typeof value === "string" ||
    value instanceof URL ||
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof SharedArrayBuffer ||
    value instanceof Blob;
  if (isSource && value !== "") return value;
  throw new LlavaError("image", `${where}: expected an image, got ${describeValue(value)}`, {
    hint: "An image is a path, a file:, http:, https: or data: URL, base64, or bytes: a Buffer, Uint8Array, ArrayBuffer or Blob.",
  });
}

/** One image or several, as a list. */
export function imageList(value: unknown, where: string): readonly ImageSource[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [requireImageSource(value, where)];
  return value.map((image, index) => requireImageSource(image, `${where}[${index}]`));
}

/** What a value is, in a few words: never the whole of it. */
export function describeValue(value: unknown): string {
  if (value === "") return "an empty text";
  if (typeof value === "string") return JSON.stringify(shortened(value, 60));
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object" || value === null) return String(value);
  const keys = Object.keys(value);
  const name = value.constructor?.name ?? "Object";
  return name === "Object" ? `an object with ${keys.slice(0, 5).join(", ") || "no keys"}` : `a ${name}`;
}

/** A text for messages, its middle left out where it is long. */
export function shortened(text: string, length = 200): string {
  if (text.length <= length) return text;
  const half = Math.floor((length - 3) / 2);
  return `${text.slice(0, half)} … ${text.slice(-half)} (${text.length} characters)`;
}
