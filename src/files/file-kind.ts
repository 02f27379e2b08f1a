import { open } from "node:fs/promises";

/** File kinds by their bytes; a longer sign stands before a shorter one that it begins with. */
const SIGNATURES: readonly (readonly [kind: string, text: string, offset?: number])[] = [
  ["a JPEG image", "\xff\xd8\xff"],
  ["a PNG image", "\x89PNG\r\n\x1a\n"],
  ["a GIF image", "GIF8"],
  ["a WebP image", "WEBP", 8],
  ["a camera's raw image", "CR\x02\0", 8],
  ["a camera's raw image", "FUJIFILMCCD-RAW"],
  ["a camera's raw image", "ftypcrx", 4],
  ["a TIFF image", "II*\0"],
  ["a TIFF image", "MM\0*"],
  ["a TIFF image", "II+\0"],
  ["a TIFF image", "MM\0+"],
  ["an AVIF image", "ftypavif", 4],
  ["an AVIF image", "ftypavis", 4],
  ["a HEIC image", "ftyphei", 4],
  ["a HEIC image", "ftyphev", 4],
  ["a HEIF image", "ftypmif1", 4],
  ["a HEIF image", "ftypmsf1", 4],
  ["a JPEG 2000 image", "jP  \r\n\x87\n", 4],
  ["a JPEG 2000 image", "\xff\x4f\xff\x51"],
  ["a JPEG XL image", "JXL \r\n\x87\n", 4],
  ["a JPEG XL image", "\xff\x0a"],
  ["a Photoshop image", "8BPS"],
  ["an OpenEXR image", "\x76\x2f\x31\x01"],
  ["a DDS image", "DDS "],
  ["a QOI image", "qoif"],
  ["an icon of macOS", "icns"],
  ["an MP4 or QuickTime video", "ftyp", 4],
  ["a Matroska or WebM video", "\x1a\x45\xdf\xa3"],
  ["an AVI video", "AVI ", 8],
  ["a Flash video", "FLV\x01"],
  ["an MPEG video", "\0\0\x01\xba"],
  ["a WAV sound", "WAVE", 8],
  ["an MP3 sound", "ID3"],
  ["an Ogg sound or video", "OggS"],
  ["a PDF document", "%PDF"],
  ["a PostScript document", "%!PS"],
  ["a zip archive", "PK\x03\x04"],
  ["an empty zip archive", "PK\x05\x06"],
  ["a gzip archive", "\x1f\x8b"],
  ["a zstd archive", "\x28\xb5\x2f\xfd"],
  ["a bzip2 archive", "BZh"],
  ["an xz archive", "\xfd7zXZ\0"],
  ["a 7-Zip archive", "7z\xbc\xaf\x27\x1c"],
  ["a RAR archive", "Rar!\x1a\x07"],
  ["a tar archive", "ustar", 257],
  ["a parquet file", "PAR1"],
  ["an Arrow file", "ARROW1"],
  ["an SQLite database", "SQLite format 3\0"],
  ["an HDF5 file", "\x89HDF\r\n\x1a\n"],
  ["a NumPy array", "\x93NUMPY"],
  ["a GGUF file", "GGUF"],
  ["a Git LFS pointer, not the file itself", "version https://git-lfs"],
];

/** Bytes of a file's begin that tell its kind. */
export const kindBytes = 512;

/** The first bytes of a file. @throws as `node:fs` does */
export async function readHead(path: string): Promise<Buffer> {
  await using file = await open(path);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(kindBytes), 0, kindBytes, 0);
  return buffer.subarray(0, bytesRead);
}

const imageTypes: Readonly<Record<string, string>> = {
  "a JPEG image": "jpeg",
  "a PNG image": "png",
  "a GIF image": "gif",
  "a WebP image": "webp",
  "a BMP image": "bmp",
  "a TIFF image": "tiff",
  "an AVIF image": "avif",
};

/** The subtype of an image's media type ("jpeg" of image/jpeg), of kinds that endpoints take; else undefined. */
export const imageType = (bytes: Uint8Array): string | undefined => imageTypes[describeBytes(bytes)];

/** What a file is, see `describeBytes`. */
export const fileKind = async (path: string): Promise<string> => describeBytes(await readHead(path));

/** What a file is by its first bytes (`kindBytes` of them are enough), with its article: "a PNG image", "an HTML page". */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return "an empty file";
  const head = Buffer.from(bytes.subarray(0, kindBytes));
  const latin1 = head.toString("latin1");
  for (const [kind, text, offset = 0] of SIGNATURES) if (latin1.startsWith(text, offset)) return kind;
  if (/^P[1-7][\s#]/.test(latin1)) return "a Netpbm image";
  if (latin1.startsWith("\xff\xfe") || latin1.startsWith("\xfe\xff")) return "text in UTF-16";
  if (!head.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return describeText(head);
  if (latin1.startsWith("BM")) return "a BMP image";
  if (latin1.startsWith("\0\0\x01\0")) return "an icon of Windows";
  if (latin1.startsWith("\0\0\x02\0") && head[4] !== 0) return "a cursor of Windows";
  return "binary data of an unknown kind";
}

function describeText(head: Uint8Array): string {
  const text = new TextDecoder().decode(head);
  const start = text.trimStart();
  const content = start.replace(/^(<\?xml[^>]*>\s*|<!--.*?-->\s*)+/s, "");
  if (/^<(!doctype html|html|head|body|script|meta|title)\b/i.test(content)) return "an HTML page";
  if (/^(<!doctype svg[^>]*>\s*)?<svg\b/i.test(content)) return "an SVG drawing";
  if (start.startsWith("<?xml")) return "an XML document";
  if (/^[{[]/.test(start)) return "JSON text";
  const line = start.split("\n")[0]!.slice(0, 40).trim();
  return `text that starts ${JSON.stringify(line)}`;
}
