import { describeBytes } from "./file-kind.ts";

/** What a file turns out to be that was taken for another. */
export interface FileKind {
  /** "a Git LFS pointer, 135 bytes long, in place of a file of 14.5 GB" */
  readonly what: string;
  /** What to do about it. */
  readonly hint: string;
}

/** Bytes that are enough to tell a file's kind. */
export const KIND_BYTES = 1024;

const AGAIN = "The download got something else; fetch the file again.";
const UNPACK = "Unpack it, and give what is inside.";

/** What people take for what it contains, by `describeBytes`. */
const STRAY: Readonly<Record<string, FileKind>> = {
  "a gzip archive": { what: "compressed with gzip", hint: "Decompress it with gunzip." },
  "a bzip2 archive": { what: "compressed with bzip2", hint: "Decompress it with bunzip2." },
  "an xz archive": { what: "compressed with xz", hint: "Decompress it with unxz." },
  "a zstd archive": { what: "compressed with zstd", hint: "Decompress it with unzstd." },
  "a 7-Zip archive": { what: "a 7z archive", hint: UNPACK },
  "a RAR archive": { what: "a RAR archive", hint: UNPACK },
  "a zip archive": { what: "a zip archive", hint: UNPACK },
  "an empty zip archive": { what: "an empty zip archive", hint: AGAIN },
  "a tar archive": { what: "a tar archive", hint: UNPACK },
  "an HDF5 file": { what: "an HDF5 file, as TensorFlow writes", hint: "Give the weights as safetensors." },
  "a parquet file": { what: "a parquet file", hint: "Give it where rows are expected, as .parquet." },
  "a PDF document": { what: "a PDF", hint: AGAIN },
  "a PNG image": { what: "a PNG image", hint: AGAIN },
  "a JPEG image": { what: "a JPEG image", hint: AGAIN },
  "text in UTF-16": { what: "text in UTF-16", hint: "Convert it to UTF-8." },
};

/**
 * Recognises by its first bytes (up to `KIND_BYTES` of them) what is often found under the name of a file of weights, a
 * configuration or rows: pointers of Git LFS and its kin, web pages, errors of servers, archives, compressed and empty
 * files. `undefined` for anything else; so ask only once the file has not been what it should be.
 */
export function strayKind(start: Uint8Array, fileLength = start.byteLength): FileKind | undefined {
  if (fileLength === 0) return { what: "empty", hint: "Nothing was written to it; fetch the file again." };
  const text = Buffer.from(start.subarray(0, KIND_BYTES)).toString("latin1");
  const pointer = pointerKind(text, fileLength);
  if (pointer !== undefined) return pointer;
  const stray = STRAY[describeBytes(start)];
  if (stray !== undefined) return stray;
  if (/^\0+$/.test(text) && text.length > 8)
    return { what: "all zeros where it begins", hint: "The download did not finish; fetch the file again." };
  const words = text.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (/^<(?:!doctype|html|head|body|script|!--)/i.test(words))
    return {
      what: `a web page${titleOf(words)}`,
      hint: "Download the file itself, not the page about it; a page that asks to log in needs a token.",
    };
  if (/^<\?xml|^<Error>/.test(words)) return { what: `XML (${clipped(words)})`, hint: AGAIN };
  if (
    fileLength < KIND_BYTES &&
    /^(?:Entry not found|Invalid username|Access to model|Not Found)/i.test(words)
  )
    return { what: `a server's answer: ${clipped(words)}`, hint: AGAIN };
  return undefined;
}

/** Small files of text that stand for one that is elsewhere. */
function pointerKind(text: string, fileLength: number): FileKind | undefined {
  if (fileLength > 4096) return undefined;
  const size = (pattern: RegExp) => {
    const bytes = pattern.exec(text)?.[1];
    return bytes === undefined ? "" : ` for a file of ${bytes} bytes`;
  };
  if (/^version https:\/\/(?:git-lfs\.github\.com|hawser\.github\.com)\//.test(text))
    return {
      what: `a Git LFS pointer${size(/^size (\d+)/m)}, not the file`,
      hint: 'Fetch the file itself: "git lfs pull" in the clone, or download it.',
    };
  if (text.startsWith("# xet version"))
    return {
      what: `a Xet pointer${size(/^filesize *= *(\d+)/m)}, not the file`,
      hint: "Fetch the file itself: download it from the hub.",
    };
  if (/^\/annex\/objects\/|^(?:\.\.\/)*\.git\/annex\//.test(text))
    return {
      what: "a git-annex pointer, not the file",
      hint: 'Fetch the file itself: "git annex get" in the clone.',
    };
  if (/^(?:\.\.\/)+blobs\/[0-9a-f]{40,64}\s*$/.test(text))
    return {
      what: "the text of a link into a cache's blobs, not the file",
      hint: "Copy the folder again with its links followed (cp -L).",
    };
  return undefined;
}

/** ` ("Sign in")` */
function titleOf(page: string): string {
  const title = /<title>\s*([^<]+?)\s*</i.exec(page)?.[1];
  return title === undefined ? "" : ` ("${clipped(title)}")`;
}

const clipped = (text: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is shown in a terminal has none
  const line = text.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").trim();
  return line.length > 80 ? `${line.slice(0, 80)}…` : line;
};

/** JSON where something else should be. */
export function jsonKind(start: Uint8Array): FileKind | undefined {
  const text = Buffer.from(start.subarray(0, KIND_BYTES)).toString("utf8");
  return /^\s*[{[]\s*["{\]}]/.test(text) ? { what: `JSON, ${clipped(text)}`, hint: AGAIN } : undefined;
}

/** The words of an object that is nothing but a server's error: {"error": "Repository not found"}. */
export function serverError(json: Readonly<Record<string, unknown>>): string | undefined {
  const keys = Object.keys(json);
  const usual = ["error", "errors", "error_type", "message", "detail", "status", "code", "documentation_url"];
  if (!["error", "errors", "message", "detail"].some((key) => keys.includes(key))) return undefined;
  return keys.every((key) => usual.includes(key)) ? clipped(JSON.stringify(json)) : undefined;
}
