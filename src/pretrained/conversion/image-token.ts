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

/** Words that stand for images and videos, by their ids. */
export interface MediaTokens {
  readonly ids: ReadonlyMap<string, number>;
  /** Those of them that the tokenizer does not know yet. */
  readonly added: readonly string[];
  /** Embeddings of a vocabulary that has them. */
  readonly rows: number;
}

/** Where words are in a vocabulary that has `rows` embeddings: behind the others, if they are new. */
export function placeTokens(tokenizer: Tokenizer, rows: number, words: readonly string[]): MediaTokens {
  const added = words.filter((word) => tokenizer.tokenToId(word) === undefined);
  const ids = new Map(
    words.map((word) => [word, tokenizer.tokenToId(word) ?? tokenizer.vocabSize + added.indexOf(word)]),
  );
  const last = Math.max(...ids.values());
  return { ids, added, rows: last < rows ? rows : Math.ceil((last + 1) / MULTIPLE) * MULTIPLE };
}

/** Whether the words from an id on are those that `placeTokens` puts there, and no others. */
export const areLastTokens = (tokenizer: Tokenizer, id: number): boolean =>
  [[IMAGE_TOKEN], [IMAGE_TOKEN, VIDEO_TOKEN]].some(
    (words) =>
      id === tokenizer.vocabSize - words.length &&
      words.every((word, at) => tokenizer.tokenToId(word) === id + at),
  );

const fieldsOf = (id: number, content: string) => ({
  id,
  content,
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

export function addTokens(folder: string, { ids, added: words }: MediaTokens): void {
  for (const word of words) {
    const id = ids.get(word)!;
    const { id: _, ...fields } = fieldsOf(id, word);
    changeFiles(folder, {
      tokenizer: (added) => [...added, fieldsOf(id, word)],
      decoder: (added) => ({ ...added, [id]: fields }),
      additions: (added) => ({ ...added, [word]: id }),
    });
    if (!existsSync(join(folder, "tokenizer.json"))) changeSpecial(folder, (special) => [...special, word]);
  }
}

/** Words of a SentencePiece tokenizer are special where its configuration says so. */
function changeSpecial(folder: string, change: (special: readonly unknown[]) => unknown[]): void {
  const path = join(folder, "tokenizer_config.json");
  if (!existsSync(path)) return;
  const { additional_special_tokens: stated = [], ...others } = readJsonObject(path);
  const special = change(stated as unknown[]);
  writeJson(path, { ...others, ...(special.length > 0 && { additional_special_tokens: special }) });
}

/** Takes away the words from an id on. */
export function removeTokens(folder: string, from: number): void {
  const path = join(folder, "added_tokens.json");
  const without = (added: JsonObject, isAway: (entry: [string, unknown]) => boolean): JsonObject =>
    Object.fromEntries(Object.entries(added).filter((entry) => !isAway(entry)));
  changeFiles(folder, {
    tokenizer: (added) => added.filter((token) => Number(token["id"]) < from),
    decoder: (added) => without(added, ([id]) => Number(id) >= from),
    ...(existsSync(path) && { additions: (added) => without(added, ([, id]) => Number(id) >= from) }),
  });
  changeSpecial(folder, (special) =>
    special.filter((token) => token !== IMAGE_TOKEN && token !== VIDEO_TOKEN),
  );
}

export const writeJson = (path: string, value: unknown): void =>
  writeAtomically(path, [`${JSON.stringify(value, null, 2)}\n`]);
