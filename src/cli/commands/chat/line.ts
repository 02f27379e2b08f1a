import { findImages, type ImageWords, isFile } from "./image-words.ts";

/** A line typed in a chat: a command, or text with the images that were named in it. */
export type ChatLine = { readonly command: string; readonly argument: string } | ImageWords;

/**
 * Reads a typed line or a pasted text. What begins with a slash and a word is a command, unless it is a file; all else is
 * text, in which `findImages` looks for images.
 * @throws LlavaError "image" for a word that can only mean an image, where there is none
 */
export function parseChatLine(line: string): ChatLine {
  const command = /^\s*\/([\w-]+|\?)(?:\s+([\s\S]*?))?\s*$/.exec(line);
  if (command !== null && !isFile(`/${command[1]}`) && !isFile(line.trim()))
    return { command: command[1]!.toLowerCase(), argument: command[2] ?? "" };
  return findImages(line);
}
