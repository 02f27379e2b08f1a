import { LlavaError } from "../../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { BpeTokenizer } from "./bpe-tokenizer.ts";
import { llama3, preTokenizers, splitsOf } from "./pre-tokenizers.ts";
import { pieceKind, sentencePieceTokenizer } from "./sentence-piece.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { mergeRank, tokenizerFromJson } from "./tokenizer-json.ts";
import { wordSplitter } from "./words.ts";

/** Key/value pairs of a GGUF file, as plain values. */
export type GgufMetadata = ReadonlyMap<string, unknown>;

/** A whole `tokenizer.json`; readers of the format know the key and need not follow it. */
export const HUGGING_FACE_JSON = "tokenizer.huggingface.json";

/**
 * Builds the tokenizer that the metadata of a GGUF file describes: by a whole `tokenizer.json` in it, where there is one.
 * Throws `checkpoint` naming the missing key.
 */
export function tokenizerFromGguf(metadata: GgufMetadata): Tokenizer {
  const json = metadata.get(HUGGING_FACE_JSON);
  if (typeof json !== "string") return tokenizerOfWords(metadata);
  return tokenizerFromJson(JSON.parse(json), rolesIn(metadata), HUGGING_FACE_JSON);
}

/** What a `tokenizer_config.json` would say beside it: names of the roles, and all added tokens. */
function rolesIn(metadata: GgufMetadata): Record<string, unknown> {
  const tokens = strings(metadata, "tokenizer.ggml.tokens");
  const kinds = metadata.get("tokenizer.ggml.token_type") as ArrayLike<number> | undefined;
  const roles = { bos_token: "bos", eos_token: "eos", pad_token: "padding", unk_token: "unknown" };
  const named = Object.entries(roles).map(([name, role]) => {
    const id = idOf(metadata, role, tokens.length);
    return [name, id === undefined ? null : tokens[id]] as const;
  });
  return {
    ...Object.fromEntries(named.filter(([, token]) => token !== null)),
    no_roles: named.flatMap(([name, token]) => (token === null ? [name] : [])),
    add_bos_token: metadata.get("tokenizer.ggml.add_bos_token") ?? null,
    added_tokens_decoder: Object.fromEntries(
      addedTokensIn(tokens, kinds).map(({ id, ...token }) => [id, token]),
    ),
  };
}

function addedTokensIn(tokens: readonly string[], kinds: ArrayLike<number> | undefined): AddedToken[] {
  return tokens.flatMap((content, id) => {
    const kind = kinds?.[id];
    const special = kind === pieceKind.control || kind === pieceKind.unknown;
    return special || kind === pieceKind.userDefined ? [{ id, content, special }] : [];
  });
}

/** By the words of the format alone, which all readers follow. */
export function tokenizerOfWords(metadata: GgufMetadata): Tokenizer {
  const tokens = strings(metadata, "tokenizer.ggml.tokens");
  const kinds = metadata.get("tokenizer.ggml.token_type") as ArrayLike<number> | undefined;
  const roles = {
    bosId: idOf(metadata, "bos", tokens.length),
    eosId: idOf(metadata, "eos", tokens.length),
    padId: idOf(metadata, "padding", tokens.length),
    unkId: idOf(metadata, "unknown", tokens.length),
  };
  const addsBosSetting = metadata.get("tokenizer.ggml.add_bos_token") as boolean | undefined;
  const model = metadata.get("tokenizer.ggml.model");

  if (model === "llama") {
    const scores = metadata.get("tokenizer.ggml.scores") as ArrayLike<number> | undefined;
    if (!scores) throw missing("tokenizer.ggml.scores");
    const pieces = tokens.map((text, id) => ({
      text,
      score: scores[id] ?? 0,
      kind: kinds?.[id] ?? pieceKind.normal,
    }));
    return sentencePieceTokenizer(pieces, {
      ...roles,
      addsBos: addsBosSetting ?? true,
      addsSpacePrefix: (metadata.get("tokenizer.ggml.add_space_prefix") as boolean | undefined) ?? true,
    });
  }
  if (model !== "gpt2") {
    throw new LlavaError(
      "checkpoint",
      `GGUF tokenizer model "${model}" is not supported, expected gpt2 or llama`,
    );
  }
  const name = (metadata.get("tokenizer.ggml.pre") as string | undefined) ?? "default";
  const preTokenizer = Object.hasOwn(preTokenizers, name) ? preTokenizers[name] : undefined;
  if (!preTokenizer) {
    throw new LlavaError("checkpoint", `GGUF pre-tokenizer "${name}" is not supported`, {
      hint: `Known are ${Object.keys(preTokenizers).join(", ")}.`,
    });
  }
  return new BpeTokenizer({
    ...roles,
    tokens,
    rank: mergeRank(strings(metadata, "tokenizer.ggml.merges")),
    addedTokens: addedTokensIn(tokens, kinds),
    alphabet: "bytes",
    takesWholeWords: preTokenizer.takesWholeWords ?? false,
    stripsLeadingSpace: false,
    words: wordSplitter(preTokenizer.normalizer ?? null, splitsOf(preTokenizer)),
    addsBos: addsBosSetting ?? preTokenizer === llama3,
  });
}

function strings(metadata: GgufMetadata, key: string): readonly string[] {
  const value = metadata.get(key);
  if (!Array.isArray(value)) throw missing(key);
  return value;
}

function idOf(metadata: GgufMetadata, role: string, count: number): number | undefined {
  const id = metadata.get(`tokenizer.ggml.${role}_token_id`);
  return typeof id === "number" && id < count ? id : undefined;
}

const missing = (key: string): LlavaError =>
  new LlavaError("checkpoint", `The GGUF file has no ${key}`, {
    hint: "Use a file of a whole language model, not one of tensors alone.",
  });
