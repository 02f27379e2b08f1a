import { existsSync } from "node:fs";
import { join } from "node:path";
import { type JsonObject, readJsonObject, writeAtomically } from "../../files/index.ts";
import type { Tokenizer } from "../../processing/tokenizer/index.ts";

/** The word that stands for an image in prompts of transformers. */
export const IMAGE_TOKEN = "<image>";

/** The word for a video, where a kind of model has one. */
export const VIDEO_TOKEN = "<video>";

/** Vocabularies grow to a multiple of this, as transformers' own conversion has it. */
const MULTIPLE = 64;

/** Where an image's token is in a vocabulary that has `rows` embeddings, and how many it has with it. */
export function placeImageToken(
  tokenizer: Tokenizer,
  rows: number,
): { readonly id: number; readonly rows: number; readonly isNew: boolean } {
  const known = tokenizer.tokenToId(IMAGE_TOKEN);
  const id = known ?? tokenizer.vocabSize;
  const grown = id < rows ? rows : Math.ceil((id + 1) / MULTIPLE) * MULTIPLE;
  return { id, rows: grown, isNew: known === undefined };
}

const word = (id: number) => ({
  id,
  content: IMAGE_TOKEN,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** Changes the files that say a tokenizer's words; those that are not there stay so. */
function changeFiles(
  folder: string,
  change: {
    tokenizer(added: readonly JsonObject[]): JsonObject[];
    decoder(added: JsonObject): JsonObject;
    /** Of a tokenizer without either. */
    additions?(added: JsonObject): JsonObject;
  },
): void {
  const edit = (name: string, field: string, changed: (value: never) => unknown): boolean => {
    const path = join(folder, name);
    if (!existsSync(path)) return false;
    const json = readJsonObject(path);
    if (json[field] === undefined && name !== "tokenizer.json") return false;
    writeJson(path, { ...json, [field]: changed((json[field] ?? []) as never) });
    return true;
  };
  const isFast = edit("tokenizer.json", "added_tokens", change.tokenizer);
  const isListed = edit("tokenizer_config.json", "added_tokens_decoder", change.decoder);
  const path = join(folder, "added_tokens.json");
  if (existsSync(path) || (!isFast && !isListed && change.additions !== undefined))
    writeJson(path, (change.additions ?? ((same) => same))(existsSync(path) ? readJsonObject(path) : {}));
}

export function addImageToken(folder: string, id: number): void {
  const { id: _, ...fields } = word(id);
  changeFiles(folder, {
    tokenizer: (added) => [...added, word(id)],
    decoder: (added) => ({ ...added, [id]: fields }),
    additions: (added) => ({ ...added, [IMAGE_TOKEN]: id }),
  });
  if (!existsSync(join(folder, "tokenizer.json")))
    changeSpecial(folder, (special) => [...special, IMAGE_TOKEN]);
}

/** Words of a SentencePiece tokenizer are special where its configuration says so. */
function changeSpecial(folder: string, change: (special: readonly unknown[]) => unknown[]): void {
  const path = join(folder, "tokenizer_config.json");
  if (!existsSync(path)) return;
  const { additional_special_tokens: stated = [], ...others } = readJsonObject(path);
  const special = change(stated as unknown[]);
  writeJson(path, { ...others, ...(special.length > 0 && { additional_special_tokens: special }) });
}

export function removeImageToken(folder: string, id: number): void {
  const path = join(folder, "added_tokens.json");
  changeFiles(folder, {
    tokenizer: (added) => added.filter((token) => token["id"] !== id),
    decoder: ({ [id]: _, ...added }) => added,
    ...(existsSync(path) && { additions: ({ [IMAGE_TOKEN]: _, ...added }) => added }),
  });
  changeSpecial(folder, (special) => special.filter((token) => token !== IMAGE_TOKEN));
}

export const writeJson = (path: string, value: unknown): void =>
  writeAtomically(path, [`${JSON.stringify(value, null, 2)}\n`]);
