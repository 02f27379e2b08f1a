import { imageDataUrl } from "./data-url.ts";

/** The image in a cell `{ bytes, path }` as a data URL; undefined for an empty cell. */
export function embeddedImage(cell: unknown): string | undefined {
  const bytes = (cell as { bytes?: unknown } | null | undefined)?.bytes;
  return bytes instanceof Uint8Array ? imageDataUrl(Buffer.from(bytes).toString("base64")) : undefined;
}
