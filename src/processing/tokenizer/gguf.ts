import { LlavaError } from "../../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { BpeTokenizer } from "./bpe-tokenizer.ts";
import { pieceKind, sentencePieceTokenizer } from "./sentence-piece.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { mergeRank } from "./tokenizer-json.ts";
import { type Component, gpt2Pattern, isolate, wordSplitter } from "./words.ts";

/** Key/value pairs of a GGUF file, as plain values. */
export type GgufMetadata = ReadonlyMap<string, unknown>;

interface PreTokenizer {
  readonly patterns: readonly string[];
  readonly normalizer?: Component;
  readonly takesWholeWords?: boolean;
}

const byteLevelPattern = (digits: string): string =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const gpt2: PreTokenizer = { patterns: [gpt2Pattern] };
const singleDigits: PreTokenizer = { patterns: ["\\p{N}", gpt2Pattern] };
const llama3: PreTokenizer = { patterns: [byteLevelPattern("\\p{N}{1,3}")], takesWholeWords: true };
const qwen2: PreTokenizer = { patterns: [byteLevelPattern("\\p{N}")], normalizer: { type: "NFC" } };

/** How text is cut into words, by the name in `tokenizer.ggml.pre`. */
const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  default: gpt2,
  "gpt-2": gpt2,
  smollm: singleDigits,
  starcoder: singleDigits,
  refact: singleDigits,
  "command-r": singleDigits,
  "llama-bpe": llama3,
  "llama-v3": llama3,
  llama3,
  qwen2,
  "deepseek-r1-qwen": qwen2,
};

/** Builds the tokenizer that the metadata of a GGUF file describes. Throws `checkpoint` naming the missing key. */
export function tokenizerFromGguf(metadata: GgufMetadata): Tokenizer {
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
  const addedTokens: AddedToken[] = [];
  tokens.forEach((content, id) => {
    const kind = kinds?.[id];
    const special = kind === pieceKind.control || kind === pieceKind.unknown;
    if (special || kind === pieceKind.userDefined) addedTokens.push({ id, content, special });
  });
  return new BpeTokenizer({
    ...roles,
    tokens,
    rank: mergeRank(strings(metadata, "tokenizer.ggml.merges")),
    addedTokens,
    alphabet: "bytes",
    takesWholeWords: preTokenizer.takesWholeWords ?? false,
    stripsLeadingSpace: false,
    words: wordSplitter(preTokenizer.normalizer ?? null, {
      type: "Sequence",
      pretokenizers: preTokenizer.patterns.map(isolate),
    }),
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
