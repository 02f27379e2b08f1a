import { readdirSync } from "node:fs";
import { join } from "node:path";
import { LlavaError } from "../../../errors.ts";
import { builtinModels, isHubName } from "../../../setup/index.ts";
import { didYouMean, nearNames } from "../../../spelling.ts";
import { findImages, imageOf, isFile, isFolder, looksLikeFile, missing } from "./image-words.ts";

/** What the words of `llava chat` are, as its help tells it. */
export const wordsHelp = `
Words, in this order:
  a model     a built-in name, a folder, or a hub name such as organisation/name
  images      files, and web addresses; videos (.mp4, .webm, .mov, …) are files
  a question  in quotes, or the words that are left; files named in it, and addresses that end like an image
              (.jpg, .png, …), are shown to the model
A word that looks like a model or a file but is none is an error. -p takes a question as it is, whatever it says.
<image> in a question is where its image goes; without it images stand in front of the question.`;

export interface CommandWords {
  readonly name: string | undefined;
  readonly images: readonly string[];
  readonly question: string | undefined;
  /** Web addresses in the question that stay text. */
  readonly addresses: readonly string[];
}

/**
 * Sorts the words of a command line.
 * @throws LlavaError "config" for what looks like a model, "image" for what looks like a file, where there is none; "usage"
 * for a word before a question in quotes that is neither
 */
export function readWords(
  words: readonly string[],
  flags: { readonly model?: string; readonly prompt?: string },
): CommandWords {
  const rest = [...words];
  const name =
    flags.model === undefined && rest[0] !== undefined && isModel(rest[0]) ? rest.shift() : flags.model;
  const images: string[] = [];
  const said: string[] = [];
  let isSentence = false;
  for (const [index, word] of rest.entries()) {
    const image = isSentence ? undefined : imageOf(word);
    if (image !== undefined) images.push(image);
    else {
      if (!isSentence && !/\s/.test(word)) {
        requireWord(word, name === undefined && index === 0 ? rest.slice(1) : []);
        isSentence = true;
      }
      said.push(word);
    }
  }
  const found = findImages(said.join(" "));
  const question = [
    ...(found.text === "" ? [] : [found.text]),
    ...(flags.prompt === undefined ? [] : [flags.prompt]),
  ];
  return {
    name,
    images: [...images, ...found.images],
    question: question.length === 0 ? undefined : question.join(" "),
    addresses: found.addresses,
  };
}

const isModel = (word: string): boolean =>
  Object.hasOwn(builtinModels, word) ||
  isFolder(word) ||
  (isHubName(word) && !isFile(word) && !looksLikeImage(word));

const looksLikeImage = (word: string): boolean =>
  /\.(jpe?g|png|webp|gif|tiff?|avif|heic|bmp|pdf)$/i.test(word);

/** Letters with numbers and marks between them, a family's name with either, or nearly a built-in name: no word of a question. */
function looksLikeModel(word: string): boolean {
  if (!/^[a-z][\w.:-]*[\w]$/i.test(word)) return false;
  const isFamily = /llava|llama|vicuna|mistral|qwen/i.test(word) && /[-_.:\d]/.test(word);
  const isNumbered = /\d/.test(word) && /[-_.:]/.test(word);
  return isFamily || isNumbered || nearNames(word, Object.keys(builtinModels)).length > 0;
}

/** @param next the words behind one that may have been meant as a model */
function requireWord(word: string, next: readonly string[]): void {
  if (isModel(word) && (!isFolder(word) || isFile(join(word, "config.json"))))
    throw new LlavaError("usage", `${word}: a model comes first, before images and the question`, { hint });
  if (looksLikeModel(word) && !looksLikeImage(word)) throw noModel(word);
  if (looksLikeFile(word) || /[\\/]./.test(word))
    throw missing(word, [word], looksLikeImage(word) ? "file" : "file or folder");
  const isQuoted = next.find((other) => imageOf(other) === undefined)?.includes(" ") ?? false;
  if (isQuoted) throw noModel(word);
}

const noModel = (word: string): LlavaError =>
  new LlavaError(
    "config",
    `no model or image "${word}"${didYouMean(word, [...Object.keys(builtinModels), ...folders()])}`,
    { hint },
  );

const hint =
  "A model is a built-in name, a folder, or organisation/name; an image is a file or an address; -p takes a question of any words.";

/** Of the working folder. */
function folders(): string[] {
  try {
    return readdirSync(".", { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return [];
  }
}
