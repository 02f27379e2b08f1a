import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { readJsonFile } from "../../files/index.ts";
import type { AddedToken } from "./added-tokens.ts";
import { BpeTokenizer } from "./bpe-tokenizer.ts";
import type { MergeRank } from "./byte-pair-encoding.ts";
import { readSentencePieceModel, sentencePieceTokenizer } from "./sentence-piece.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { type Component, someComponent, wordSplitter } from "./words.ts";

export interface TokenizerJson {
  readonly added_tokens?: readonly AddedTokenJson[];
  readonly normalizer?: Component | null;
  readonly pre_tokenizer?: Component | null;
  readonly post_processor?: Component | null;
  readonly decoder?: Component | null;
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly [string, string])[];
    readonly unk_token?: string | null;
    readonly ignore_merges?: boolean;
  };
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly single_word?: boolean;
}

/** `tokenizer_config.json` with the roles of `special_tokens_map.json` merged in. */
type TokenizerConfig = Readonly<Record<string, unknown>>;

/**
 * Loads the tokenizer of a checkpoint folder: `tokenizer.json`, or else the SentencePiece `tokenizer.model`,
 * with the roles and additions of `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`. Roles that
 * these leave open come from the post-processor of `tokenizer.json`, then from the ids in `generation_config.json` and
 * `config.json`. Special tokens of `added` that the tokenizer lacks get ids after its last, as the original code does it.
 * Throws `checkpoint` if there is neither, or a model other than byte-pair encoding.
 */
export async function loadTokenizer(folder: string, added: readonly string[] = []): Promise<Tokenizer> {
  const [json, configuration, roles, additions, generation, model] = await Promise.all([
    readJsonFile(join(folder, "tokenizer.json")),
    readJsonFile(join(folder, "tokenizer_config.json")),
    readJsonFile(join(folder, "special_tokens_map.json")),
    readJsonFile(join(folder, "added_tokens.json")),
    readJsonFile(join(folder, "generation_config.json")),
    readJsonFile(join(folder, "config.json")),
  ]);
  const config: TokenizerConfig = {
    ...withoutNulls(roleTokenIds(model, generation)),
    added_tokens: additions,
    ...(roles ?? {}),
    ...withoutNulls(configuration ?? {}),
    // A role that is null is none, whatever other files say.
    no_roles: roleNames.filter((role) => configuration?.[role] === null),
    further_special_tokens: added,
  };
  if (json) {
    const file = join(folder, "tokenizer.json");
    try {
      return tokenizerFromJson(json as unknown as TokenizerJson, config, file);
    } catch (cause) {
      if (cause instanceof LlavaError) throw cause;
      throw new LlavaError("checkpoint", `${file}: cannot be used: ${(cause as Error).message}`, {
        hint: "The file is damaged, or uses what this version does not know; download it again.",
        cause,
      });
    }
  }
  const file = join(folder, "tokenizer.model");
  const pieceModel = await readFile(file).catch(() => undefined);
  if (pieceModel === undefined) {
    throw new LlavaError("checkpoint", `${folder} has neither a tokenizer.json nor a tokenizer.model`, {
      hint: "Point to the folder that holds the tokenizer files of the language model.",
    });
  }
  const pieces = readSentencePieceModel(pieceModel, file);
  const ids = new Map(pieces.map((piece, id) => [piece.text, id]));
  const addedTokens = withFurther(
    addedTokensOf(config, (content) => ids.get(content)),
    ids,
    config,
  );
  const { add_bos_token: addsBos } = config;
  return sentencePieceTokenizer(pieces, {
    addedTokens,
    ...roleIds(config, idLookup(addedTokens, ids)),
    ...(typeof addsBos === "boolean" && { addsBos }),
  });
}

/** `bos_token_id` and `eos_token_id`, of several the first, from files about a model. */
function roleTokenIds(...files: readonly (Readonly<Record<string, unknown>> | undefined)[]) {
  const found: Record<string, unknown> = {};
  for (const file of files)
    for (const source of [file?.["text_config"] as Readonly<Record<string, unknown>> | undefined, file])
      for (const name of ["bos_token_id", "eos_token_id"]) {
        const [id] = [source?.[name]].flat();
        if (isId(id)) found[name] = id;
      }
  return found;
}

/** With those tokens of `further_special_tokens` that are unknown, behind the last id. */
function withFurther(
  added: readonly AddedToken[],
  ids: ReadonlyMap<string, number>,
  config: TokenizerConfig,
): AddedToken[] {
  const further = (config["further_special_tokens"] ?? []) as readonly string[];
  if (further.length === 0) return [...added];
  const all = [...added];
  const find = idLookup(all, ids);
  let next = 0;
  for (const id of [...ids.values(), ...all.map((token) => token.id)]) next = Math.max(next, id + 1);
  for (const content of further) all.push({ id: find(content) ?? next++, content, special: true });
  return all;
}

function isVocabulary(vocab: unknown): boolean {
  if (typeof vocab !== "object" || vocab === null) return false;
  for (const token in vocab) if (!isId((vocab as Readonly<Record<string, unknown>>)[token])) return false;
  return true;
}

const isId = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 24;
const isMergeList = (merges: unknown): boolean =>
  Array.isArray(merges) && merges.every((merge) => typeof merge === "string" || Array.isArray(merge));

/** Builds a tokenizer from the parsed `tokenizer.json`; `file` names it in errors. */
export function tokenizerFromJson(json: TokenizerJson, config: TokenizerConfig, file: string): Tokenizer {
  const { model, pre_tokenizer = null, decoder = null, normalizer = null } = json;
  const isBpe = (model?.type ?? "BPE") === "BPE";
  if (!isBpe || !isVocabulary(model?.vocab) || !isMergeList(model.merges)) {
    const found = isBpe ? "has no usable vocabulary and merges" : `is ${model.type}`;
    throw new LlavaError("checkpoint", `${file}: the tokenizer model ${found}, expected BPE`, {
      hint: "The language models of the LLaVA family use byte-pair encoding; check that the file is the right one.",
    });
  }
  const ids = new Map<string, number>();
  const tokens: string[] = [];
  for (const token in model.vocab) {
    const id = model.vocab[token]!;
    ids.set(token, id);
    tokens[id] = token;
  }
  const declared = (json.added_tokens ?? []).map(addedToken);
  const declaredIds = new Map(declared.map((token) => [token.content, token.id]));
  const listed = addedTokensOf(config, (content) => declaredIds.get(content) ?? ids.get(content));
  const added = withFurther(mergeAddedTokens(declared, listed), ids, config);
  const find = idLookup(added, ids);
  const first = firstToken(json.post_processor ?? null);
  // Llama tokenizers are rebuilt from `add_bos_token`; for the others the post-processor decides.
  const setting = config["add_bos_token"];
  const isSet = typeof setting === "boolean";
  const {
    bosId = first === undefined ? undefined : find(first),
    eosId,
    padId,
    unkId = model.unk_token ? find(model.unk_token) : undefined,
  } = roleIds(config, find);
  return new BpeTokenizer({
    tokens,
    rank: mergeRank(model.merges),
    addedTokens: added,
    alphabet: isByteLevel(json) ? "bytes" : "sentencepiece",
    takesWholeWords: model.ignore_merges === true,
    stripsLeadingSpace: someComponent(decoder, stripsSpace),
    words: wordSplitter(normalizer, pre_tokenizer),
    addsBos: isSet ? setting : first !== undefined,
    bosId: !isSet && first !== undefined ? find(first) : bosId,
    eosId,
    padId,
    unkId,
  });
}

/** Whether the vocabulary is written in GPT-2's alphabet of bytes. */
export const isByteLevel = ({
  pre_tokenizer = null,
  decoder = null,
}: Pick<TokenizerJson, "pre_tokenizer" | "decoder">): boolean =>
  [pre_tokenizer, decoder].some((component) => someComponent(component, ({ type }) => type === "ByteLevel"));

/** Ranks pairs by their place in the list of merges, written as "left right" or as pairs. */
export function mergeRank(merges: readonly (string | readonly [string, string])[]): MergeRank {
  const arePairs = typeof merges[0] !== "string";
  const separator = arePairs ? "\0" : " ";
  const ranks = new Map<string, number>();
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank]!;
    ranks.set(typeof merge === "string" ? merge : merge[0] + separator + merge[1], rank);
  }
  return (left, right) => ranks.get(left + separator + right);
}

const addedToken = (token: AddedTokenJson): AddedToken => ({
  id: token.id,
  content: token.content,
  special: token.special ?? false,
  lstrip: token.lstrip,
  rstrip: token.rstrip,
  singleWord: token.single_word,
});

const roleNames = [
  "bos_token",
  "eos_token",
  "unk_token",
  "pad_token",
  "sep_token",
  "cls_token",
  "mask_token",
];

/** Names of tokens are strings or, in some files, objects with a `content`. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null)?.content;
  return typeof content === "string" ? content : undefined;
}

/** The tokens that the configuration adds or declares special, as versions 4 and 5 of transformers write them. */
function addedTokensOf(config: TokenizerConfig, idOf: (content: string) => number | undefined): AddedToken[] {
  const decoder = (config["added_tokens_decoder"] ?? {}) as Record<string, Omit<AddedTokenJson, "id">>;
  const additions = (config["added_tokens"] ?? {}) as Record<string, number>;
  const found: AddedToken[] = [
    ...Object.entries(decoder).map(([id, token]) => addedToken({ ...token, id: Number(id) })),
    ...Object.entries(additions).map(([content, id]) => ({ id, content, special: /^<.*>$/.test(content) })),
  ];
  const addedIds = new Map(found.map((token) => [token.content, token.id]));
  const extra = config["extra_special_tokens"] ?? config["additional_special_tokens"] ?? [];
  const special = [...roleNames.map((role) => config[role]), ...Object.values(extra as object)];
  for (const content of special.map(contentOf)) {
    const id = content === undefined ? undefined : (addedIds.get(content) ?? idOf(content));
    if (id !== undefined) found.push({ id, content: content!, special: true });
  }
  return found;
}

/** One entry per token: special if any source says so, with the stripping rules of the first. */
function mergeAddedTokens(...lists: readonly AddedToken[][]): AddedToken[] {
  const merged = new Map<string, AddedToken>();
  for (const token of lists.flat()) {
    const known = merged.get(token.content);
    merged.set(token.content, known ? { ...known, special: known.special || token.special } : token);
  }
  return [...merged.values()];
}

function idLookup(added: readonly AddedToken[], ids: ReadonlyMap<string, number>) {
  const addedIds = new Map(added.map((token) => [token.content, token.id]));
  return (content: string): number | undefined => addedIds.get(content) ?? ids.get(content);
}

function roleIds(config: TokenizerConfig, find: (content: string) => number | undefined) {
  const idOf = (role: string): number | undefined => {
    const content = contentOf(config[role]);
    if (content !== undefined) return find(content);
    const isNone = (config["no_roles"] as readonly string[] | undefined)?.includes(role);
    return isNone ? undefined : (config[`${role}_id`] as number | undefined);
  };
  return {
    bosId: idOf("bos_token"),
    eosId: idOf("eos_token"),
    padId: idOf("pad_token"),
    unkId: idOf("unk_token"),
  };
}

/** The special token that a post-processor puts in front of a text. */
export function firstToken(postProcessor: Component | null): string | undefined {
  const processors =
    (postProcessor?.["processors"] as Component[] | undefined) ?? (postProcessor ? [postProcessor] : []);
  for (const processor of processors) {
    const single = processor["single"] as { SpecialToken?: { id: string } }[] | undefined;
    const content = single?.[0]?.SpecialToken?.id;
    if (content !== undefined) return content;
  }
  return undefined;
}

function stripsSpace(component: Component): boolean {
  if (component.type === "Strip") return component["content"] === " " && Number(component["start"]) > 0;
  return component.type === "Metaspace" && component["prepend_scheme"] !== "never";
}

const withoutNulls = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
