import { fileURLToPath } from "node:url";
import { LlavaError } from "../../errors.ts";
import { heldBytes, type ImageSource, shortened } from "../../protocol/index.ts";
import { type DecodeOptions, type OpenedImage, openEncoded } from "./decode.ts";
import { type DownloadOptions, download } from "./download.ts";
import type { RgbImage } from "./rgb.ts";

export type ImageLoadOptions = DecodeOptions & DownloadOptions;

/** Decodes an image from wherever it is (see `openImage`). */
export const loadImage = async (source: ImageSource, options: ImageLoadOptions = {}): Promise<RgbImage> =>
  (await openImage(source, options)).decode();

/**
 * Opens an image wherever it is: a path, the bytes of a file or their base64, or a `file:`, `data:`, `http:` or `https:` URL.
 * Throws code "image" for what is not an image, "network" for what cannot be fetched.
 */
export async function openImage(source: ImageSource, options: ImageLoadOptions = {}): Promise<OpenedImage> {
  const bytes = await heldBytes(source);
  if (bytes !== undefined) return openEncoded(bytes, options);
  const text = String(source);
  // One letter before the colon is a drive of Windows.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case "data":
      return openEncoded(dataUrlBytes(text, options.where), { where: "data: URL", ...options });
    case "file":
      return openEncoded(readFileUrl(text), options);
    case "http":
    case "https": {
      if (!URL.canParse(text)) throw new LlavaError("network", `${shortened(text)}: not an address`);
      const url = new URL(text);
      const bytes = await download(url, options);
      return openEncoded(bytes, { where: `${url.protocol}//${url.host}${url.pathname}`, ...options });
    }
    default:
      return openEncoded(text, { where: shortened(text), ...options });
  }
}

function readFileUrl(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw new LlavaError("image", `${shortened(text)}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * What `data:[type][;parameters][;base64],content` holds (RFC 2397). White space in base64, its URL alphabet and missing
 * padding are passed over.
 * @throws LlavaError "image"
 */
export function dataUrlBytes(url: string, where = "data: URL"): Uint8Array {
  const comma = url.indexOf(",");
  if (comma < 0) throw new LlavaError("image", `${where}: no comma between its type and its content`);
  const content = url.slice(comma + 1);
  if (!/;\s*base64$/i.test(url.slice(0, comma))) return decodePercent(content, where);
  const base64 = content.replace(/%(2b|2f|3d)/gi, decodeURIComponent).replace(/\s/g, "");
  if (!/^[a-z0-9+/_-]*={0,2}$/i.test(base64))
    throw new LlavaError("image", `${where}: its base64 is damaged`);
  return Buffer.from(base64, "base64");
}

function decodePercent(content: string, where: string): Uint8Array {
  if (/%(?![0-9a-f]{2})/i.test(content)) throw new LlavaError("image", `${where}: a damaged %-escape`);
  const latin1 = content.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(latin1, "latin1");
}
