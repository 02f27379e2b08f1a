import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A line typed in a chat: a command, or text with the images that were named in it. */
export type ChatLine =
  | { readonly command: string; readonly argument: string }
  | { readonly text: string; readonly images: readonly string[] };

const imageFile = /\.(jpe?g|png|webp|gif|tiff?|avif|heic)$/i;
const webAddress = /^(https?:\/\/|data:image\/)/i;

/** Whether a word can only mean an image: an address, or a file that exists or is named like one. */
export const isImageArgument = (word: string): boolean =>
  webAddress.test(word) || isFile(pathOf(word)) || (imageFile.test(word) && !/\s/.test(word));

/**
 * Reads a typed line. Images are web addresses and existing image files; paths may be quoted, have `\ ` for a space,
 * start with `~` or be `file:` addresses, as terminals paste them.
 */
export function parseChatLine(line: string): ChatLine {
  const command = /^\s*\/([a-z]+)(?:\s+(.*?))?\s*$/.exec(line);
  if (command !== null && !isFile(line.trim())) return { command: command[1]!, argument: command[2] ?? "" };
  const images: string[] = [];
  const text = line.replace(/"[^"]+"|'[^']+'|(?:\\.|\S)+/g, (word) => {
    const source = imageOf(word);
    if (source === undefined) return word;
    images.push(source);
    return "";
  });
  return { text: images.length === 0 ? line.trim() : text.replace(/\s+/g, " ").trim(), images };
}

/** The path or address that a word stands for, if that is an image. */
export function imageOf(word: string): string | undefined {
  const plain = /^(["']).*\1$/.test(word) ? word.slice(1, -1) : word.replace(/\\(.)/g, "$1");
  if (webAddress.test(plain)) return plain;
  const path = pathOf(plain);
  return imageFile.test(path) && isFile(path) ? path : undefined;
}

function pathOf(word: string): string {
  if (word.startsWith("~/")) return join(homedir(), word.slice(2));
  return URL.canParse(word) && word.startsWith("file:") ? fileURLToPath(word) : word;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
