import { inflateSync } from "node:zlib";

/** EXIF data and XMP of a PNG file that stand behind its pixels, where libraries do not look for them. */
export function lateMetadata(bytes: Uint8Array): { readonly exif?: Uint8Array; readonly xmp?: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: { exif?: Uint8Array; xmp?: Uint8Array } = {};
  let isBehind = false;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = Buffer.from(bytes.subarray(at + 4, at + 8)).toString("latin1");
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "IDAT") isBehind = true;
    if (isBehind && kind === "eXIf") found.exif = content;
    if (isBehind && kind === "iTXt") {
      const xmp = xmpOf(content);
      if (xmp !== undefined) found.xmp = xmp;
    }
    at += length + 12;
  }
  return found;
}

/** The text of an iTXt chunk that holds XMP: keyword, two bytes about compression, language and translation before it. */
function xmpOf(content: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(content.buffer, content.byteOffset, content.length);
  if (!text.subarray(0, keyword.length).equals(keyword)) return undefined;
  const isPacked = text[keyword.length] === 1;
  const translation = text.indexOf(0, keyword.length + 2) + 1;
  const start = text.indexOf(0, translation) + 1;
  if (translation === 0 || start === 0) return undefined;
  try {
    return isPacked ? inflateSync(text.subarray(start)) : text.subarray(start);
  } catch {
    return undefined; // damaged, which the pixels need not be
  }
}

const keyword = Buffer.from("XML:com.adobe.xmp\0");
