/** File kinds by their first bytes; `undefined` matches any byte. */
const SIGNATURES: readonly (readonly [kind: string, isDecodable: boolean, text: string, offset?: number])[] =
  [
    ["a JPEG image", true, "\xff\xd8\xff"],
    ["a PNG image", true, "\x89PNG\r\n\x1a\n"],
    ["a GIF image", true, "GIF8"],
    ["a WebP image", true, "WEBP", 8],
    ["a TIFF image", true, "II*\0"],
    ["a TIFF image", true, "MM\0*"],
    ["an AVIF image", true, "ftypavif", 4],
    ["a HEIC image", false, "ftyphei", 4],
    ["a HEIF image", false, "ftypmif1", 4],
    ["a BMP image", false, "BM"],
    ["a JPEG 2000 image", false, "jP  \r\n\x87\n", 4],
    ["a JPEG XL image", false, "JXL \r\n\x87\n", 4],
    ["an MP4 or QuickTime video", false, "ftyp", 4],
    ["a Matroska or WebM video", false, "\x1a\x45\xdf\xa3"],
    ["an AVI video", false, "AVI ", 8],
    ["a PDF document", false, "%PDF"],
    ["a zip archive", false, "PK\x03\x04"],
    ["a gzip archive", false, "\x1f\x8b"],
    ["a Git LFS pointer, not the file itself", false, "version https://git-lfs"],
  ];

/** What a file is by its contents, with its article, and whether images of that kind can be decoded. */
export function describeBytes(bytes: Uint8Array): { kind: string; isDecodable: boolean } {
  const head = Buffer.from(bytes.subarray(0, 256)).toString("latin1");
  for (const [kind, isDecodable, text, offset = 0] of SIGNATURES) {
    if (head.startsWith(text, offset)) return { kind, isDecodable };
  }
  return { kind: describeText(bytes.subarray(0, 256)), isDecodable: false };
}

function describeText(head: Uint8Array): string {
  if (head.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return "binary data of an unknown kind";
  const text = new TextDecoder().decode(head);
  const start = text.trimStart();
  if (/^<(!doctype html|html|head|body)/i.test(start)) return "an HTML page";
  if (/^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg/is.test(start)) return "an SVG drawing";
  if (/^[{[]/.test(start)) return "JSON text";
  const line = text.split("\n")[0]!.slice(0, 40).trim();
  return `text that starts ${JSON.stringify(line)}`;
}
