import { type GgufMetadata, HUGGING_FACE_JSON, tokenizerFromGguf } from "./gguf.ts";
import { preTokenizers, splitsOf } from "./pre-tokenizers.ts";
import { pieceKind } from "./sentence-piece.ts";
import { firstToken, type TokenizerJson } from "./tokenizer-json.ts";
import type { Component } from "./words.ts";

type Json = Readonly<Record<string, unknown>>;

/** `tokenizer.json` and `tokenizer_config.json` of the tokenizer that a GGUF file describes. */
export function tokenizerFiles(metadata: GgufMetadata): { tokenizer: Json; config: Json } {
  const { bosId, eosId, padId, unkId, addsBos, idToToken } = boundTokenizer(metadata);
  const whole = metadata.get(HUGGING_FACE_JSON);
  const json: TokenizerJson = typeof whole === "string" ? JSON.parse(whole) : madeJson(metadata);
  const bos = addsBos && bosId !== undefined ? idToToken(bosId) : undefined;
  const named = (id: number | undefined) => (id === undefined ? undefined : idToToken(id));
  const roles = {
    bos_token: named(bosId),
    eos_token: named(eosId),
    unk_token: named(unkId),
    pad_token: named(padId),
  };
  return {
    tokenizer: {
      ...json,
      ...(firstToken(json.post_processor ?? null) !== bos && { post_processor: beginning(bos, bosId) }),
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      ...Object.fromEntries(Object.entries(roles).filter(([, token]) => token !== undefined)),
    },
  };
}

function boundTokenizer(metadata: GgufMetadata) {
  const { bosId, eosId, padId, unkId, addsBos } = tokenizerFromGguf(metadata);
  const tokens = metadata.get("tokenizer.ggml.tokens") as readonly string[];
  return { bosId, eosId, padId, unkId, addsBos, idToToken: (id: number) => tokens[id] };
}

/** What puts the beginning's token before a text. */
const beginning = (token: string | undefined, id: number | undefined): Component | null =>
  token === undefined
    ? null
    : {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
        special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
      };

const { unknown, control, userDefined, unused, byte } = pieceKind;

function madeJson(metadata: GgufMetadata): TokenizerJson {
  const tokens = metadata.get("tokenizer.ggml.tokens") as readonly string[];
  const kinds = (metadata.get("tokenizer.ggml.token_type") ?? []) as ArrayLike<number>;
  const isPieces = metadata.get("tokenizer.ggml.model") === "llama";
  const kindOf = (id: number) => kinds[id] ?? pieceKind.normal;
  const added = tokens.flatMap((content, id) =>
    [unknown, control, userDefined].some((kind) => kind === kindOf(id))
      ? [
          {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: kindOf(id) !== userDefined,
          },
        ]
      : [],
  );
  const words = tokens
    .map((text, id) => [text, id] as const)
    .filter(
      ([, id]) =>
        kindOf(id) !== unused && (isPieces || ![control, userDefined].some((kind) => kind === kindOf(id))),
    );
  const vocab = Object.fromEntries(words);
  const whole = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    post_processor: null,
  };
  if (!isPieces) {
    const pre = preTokenizers[String(metadata.get("tokenizer.ggml.pre") ?? "default")]!;
    const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
    return {
      ...whole,
      normalizer: pre.normalizer ?? null,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [...(splitsOf(pre)["pretokenizers"] as Component[]), bytes],
      },
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        ...model,
        vocab,
        ...{ unk_token: null, byte_fallback: false, fuse_unk: false },
        ignore_merges: pre.takesWholeWords ?? false,
        merges: (metadata.get("tokenizer.ggml.merges") as string[]).map(
          (merge) => merge.split(" ") as [string, string],
        ),
      },
    };
  }
  const prefixed = (metadata.get("tokenizer.ggml.add_space_prefix") ?? true) === true;
  const unk = tokens.find((_, id) => kindOf(id) === unknown) ?? null;
  const spaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const decoders = [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
  ];
  return {
    ...whole,
    normalizer: {
      type: "Sequence",
      normalizers: prefixed ? [{ type: "Prepend", prepend: "▁" }, spaces] : [spaces],
    },
    pre_tokenizer: null,
    decoder: { type: "Sequence", decoders },
    model: {
      ...model,
      vocab,
      ...{ unk_token: unk, byte_fallback: true, fuse_unk: true, ignore_merges: false },
      merges: mergesOf(tokens, kindOf, metadata.get("tokenizer.ggml.scores") as ArrayLike<number>),
    },
  };
}

const model = { type: "BPE", dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null };

/** All pairs of tokens that make a third, the best score first: SentencePiece ranks a merge by what it makes. */
function mergesOf(
  tokens: readonly string[],
  kindOf: (id: number) => number,
  scores: ArrayLike<number>,
): [string, string][] {
  const ids = new Map<string, number>();
  for (const [id, text] of tokens.entries())
    if (![control, unknown, byte, unused].some((kind) => kind === kindOf(id))) ids.set(text, id);
  const found: { pair: [string, string]; score: number; order: readonly number[] }[] = [];
  for (const [text, id] of ids) {
    const characters = Array.from(text);
    for (let cut = 1; cut < characters.length; cut++) {
      const pair: [string, string] = [characters.slice(0, cut).join(""), characters.slice(cut).join("")];
      const [left, right] = [ids.get(pair[0]), ids.get(pair[1])];
      if (left !== undefined && right !== undefined)
        found.push({ pair, score: scores[id] ?? 0, order: [id, left, right] });
    }
  }
  const before = (a: readonly number[], b: readonly number[]): number =>
    a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!;
  return found.sort((a, b) => b.score - a.score || before(a.order, b.order)).map(({ pair }) => pair);
}
