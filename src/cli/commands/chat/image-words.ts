import { readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../../../errors.ts";
import { shortened } from "../../../protocol/index.ts";
import { didYouMean, editDistance } from "../../../spelling.ts";

/** A text without the images that were named in it. */
export interface ImageWords {
  readonly text: string;
  /** Paths and addresses, in order. */
  readonly images: readonly string[];
  /** Web addresses that stay text, since they do not end like an image. */
  readonly addresses: readonly string[];
}

const suffixes = [
  ...["jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "tif", "tiff", "avif"],
  ...[
    "heic",
    "heif",
    "bmp",
    "dib",
    "ico",
    "svg",
    "jp2",
    "j2k",
    "jxl",
    "psd",
    "tga",
    "ppm",
    "pgm",
    "pbm",
    "pnm",
  ],
];
const imageSuffix = new RegExp(`\\.(?:${suffixes.join("|")})$`, "i");
const anySuffix = /\.[a-z][a-z0-9]{1,4}$/i;
const webAddress = /^https?:\/\//i;
/** Nothing but a path begins so. */
const pathStart = /^(?:~?\/[^\s/]+\/?[^\s/]|\.{1,2}\/|file:|[a-z]:[\\/])/i;

const longestPath = 4096;
const longestQuote = 1024;
/** What begins a text so was meant as a path, though there is nothing there. */
const surePath = /^(?:~?\/[^\s/]+\/[^\s/]|~\/|\.{1,2}\/|file:|[a-z]:[\\/])/i;

/** The longest name with spaces that is looked for, in words. */
const mostWords = 12;

export const isFile = (path: string): boolean => statOf(path)?.isFile() ?? false;
export const isFolder = (path: string): boolean => statOf(path)?.isDirectory() ?? false;

/** A text of any length and kind may be asked for as a path: what cannot be one is none. */
function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whether a word has the form of a file's name or path, be there one or not. */
export const looksLikeFile = (word: string): boolean =>
  !webAddress.test(word) && (pathStart.test(word) || imageSuffix.test(word) || anySuffix.test(word));

/** The path that is written, in quotes or not, whether there is a file or not. */
export const typedPath = (word: string): string => {
  const paths = pathsOf(unquoted(word));
  return paths.find(isFile) ?? paths[0]!;
};

const unquoted = (word: string): string => (/^(["']).+\1$/s.test(word) ? word.slice(1, -1) : word);

/** The image that a word alone stands for: an address, or a file that is there. */
export function imageOf(word: string): string | undefined {
  const plain = unquoted(word);
  if (webAddress.test(plain) || isImageData(plain)) return plain;
  return pathsOf(plain).find(isFile);
}

const isImageData = (word: string): boolean => /^data:image\//i.test(word);

/** What a word may stand for as a path: as it is, and with a backslash before characters that a shell would read. */
function pathsOf(word: string): string[] {
  const readings = word.includes("\\") ? [word.replace(/\\(.)/gs, "$1"), word] : [word];
  return readings.map((reading) => {
    if (reading.startsWith("~/")) return join(homedir(), reading.slice(2));
    if (!/^file:/i.test(reading)) return reading;
    try {
      return fileURLToPath(reading);
    } catch {
      return reading;
    }
  });
}

/**
 * Finds the images in a text. Files that are there are images wherever they stand: with a suffix or written as a path, with
 * spaces in their names (the longest name that is a file), quoted, or with `\ ` for a space as terminals paste them. So are
 * `data:image/` URLs, and web addresses that end like an image. All else stays as it is.
 * @throws LlavaError "image" for a word that ends like an image, or a text that begins with a path, where there is no file
 */
export function findImages(text: string): ImageWords {
  const images: string[] = [];
  const addresses: string[] = [];
  let rest = "";
  let last = 0;
  const words = [...text.matchAll(/(?:\\.|\S)+/g)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
  }));
  for (let at = 0; at < words.length; at++) {
    const found = imageAt(text, words, at);
    if ("address" in found) addresses.push(found.address);
    if (!("image" in found)) continue;
    images.push(found.image);
    rest += text.slice(last, found.start);
    const after = text.slice(found.end);
    // A space goes with the image: there would be two of them, or one in front of a mark.
    if (/^[?!.,;:]/.test(after)) rest = rest.trimEnd();
    last = found.end + (/\S$/.test(rest) ? 0 : /^[ \t]*/.exec(after)![0].length);
    while (at + 1 < words.length && words[at + 1]!.start < found.end) at++;
  }
  if (images.length === 0) return { text: text.trim(), images, addresses };
  const left = (rest + text.slice(last)).trim();
  return { text: /^[()[\]{}"'`.,;:!?“”‘’]*$/.test(left) ? "" : left, images, addresses };
}

interface Word {
  readonly start: number;
  readonly end: number;
}
type Found =
  | { readonly image: string; readonly start: number; readonly end: number }
  | { readonly address: string }
  | object;

/** What begins with a word: the name of an image, which may go on in the next words, an address, or nothing of the kind. */
function imageAt(text: string, words: readonly Word[], at: number): Found {
  const { start: from, end } = words[at]!;
  if (end - from > longestPath) return imageData(text.slice(from, end), from);
  const start = from + /^[([{<]*/.exec(text.slice(from, end))![0].length;
  const quoted = quotedAt(text, start);
  if (quoted !== undefined) {
    const image = existing(quoted) ?? addressOf(quoted);
    if (image !== undefined) return { image, start, end: start + quoted.length + 2 };
    const isName = imageSuffix.test(quoted) && !quoted.includes("\n");
    if (isName && !quoted.split(/\s+/).some((word) => existing(word) !== undefined))
      throw missing(quoted, [quoted]);
  }
  const open = start + Number(/["'`“‘]/.test(text[start] ?? ""));
  for (let to = Math.min(words.length, at + mostWords) - 1; to >= at; to--) {
    if (words[to]!.end - open > longestPath) continue;
    const raw = text.slice(open, words[to]!.end);
    if (to > at && (raw.includes("\n") || !anySuffix.test(withoutEnd(raw)))) continue;
    for (const name of new Set([raw, withoutEnd(raw)])) {
      const image = existing(name);
      if (image !== undefined) return { image, start: open, end: open + name.length };
    }
  }
  const word = withoutEnd(text.slice(open, end));
  const address = addressOf(word);
  if (address !== undefined) return { image: address, start: open, end: open + word.length };
  if (webAddress.test(word)) return { address: word };
  const isFirst = at === 0 && !text.includes("\n") && (surePath.test(word) || isNearlyImage(word));
  if (!isFirst && !imageSuffix.test(word)) return {};
  const before = [3, 2, 1, 0]
    .filter((n) => n <= at)
    .map((n) => text.slice(words[at - n]!.start, open + word.length));
  throw missing(word, before);
}

/** Words that are longer than paths can be may still hold an image. */
const imageData = (word: string, start: number): Found =>
  isImageData(word) ? { image: word, start, end: start + word.length } : {};

/** What stands between quotes that close before a space or a mark. */
function quotedAt(text: string, start: number): string | undefined {
  const closing = { '"': '"', "'": "'", "`": "`", "“": "”", "‘": "’" }[text[start] ?? ""];
  if (closing === undefined) return undefined;
  const next = (from: number): number => text.indexOf(closing, from);
  for (let end = next(start + 2); end >= 0 && end < start + longestQuote; end = next(end + 1))
    if (/^(?:['’]s)?[)\]}>.,;:!?…]*(?:\s|$)/.test(text.slice(end + 1))) return text.slice(start + 1, end);
  return undefined;
}

/** Without the marks that end a sentence or a clause, and a genitive's "'s". */
const withoutEnd = (word: string): string => word.replace(/(?:['’]s)?[)\]}>.,;:!?…"'`”’]*$/, "");

/** The file that a name with a suffix, or a path, is. */
const existing = (name: string): string | undefined =>
  anySuffix.test(name) || pathStart.test(name) ? pathsOf(name).find(isFile) : undefined;

function addressOf(word: string): string | undefined {
  if (isImageData(word)) return word;
  const isImage = webAddress.test(word) && URL.canParse(word) && imageSuffix.test(new URL(word).pathname);
  return isImage ? word : undefined;
}

/** "x.pngx", "photo.jgp": one letter away from a suffix of images. */
function isNearlyImage(word: string): boolean {
  const suffix = anySuffix.exec(word)?.[0].slice(1).toLowerCase() ?? "";
  const swapped = (known: string): boolean =>
    known.length === 3 && [...known].sort().join() === [...suffix].sort().join();
  return (
    suffix.length > 2 &&
    ["jpg", "jpeg", "png", "webp", "tiff", "avif", "heic"].some(
      (known) => known[0] === suffix[0] && (editDistance(known, suffix) === 1 || swapped(known)),
    )
  );
}

/** @param names readings of it, nearest names of which may be files */
export function missing(word: string, names: readonly string[], what = "file"): LlavaError {
  const shown = shortened(pathsOf(word)[0]!);
  if (pathsOf(word).some(isFolder))
    return new LlavaError("image", `${shown}: is a directory, expected an image file`, {
      hint: "Give the path of one image.",
    });
  const [path] = pathsOf(word) as [string];
  const files = filesOf(dirname(path));
  const near = names
    .map((name) => didYouMean(basename(pathsOf(name)[0]!), files))
    .find((text) => text !== "");
  return new LlavaError("image", `${shown}: no such ${what}${near ?? ""}`, {
    hint: "Check the path; put it in quotes where names have spaces.",
  });
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
