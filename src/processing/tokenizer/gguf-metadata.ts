import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { readJsonObject } from "../../files/index.ts";
import { HUGGING_FACE_JSON, tokenizerOfWords } from "./gguf.ts";
import { preTokenizerName, preTokenizers } from "./pre-tokenizers.ts";
import { pieceKind, readSentencePieceModel, type SentencePiece } from "./sentence-piece.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { isByteLevel, type TokenizerJson } from "./tokenizer-json.ts";

/** Of tokens that no merge makes, as other writers have it. */
const ADDED_SCORE = -1000;

/**
 * What a GGUF file says of the tokenizer in a folder, which `tokenizer` was loaded from, for an embedding of `rows`: there is
 * a token for each.
 * @throws LlavaError "usage" for one that the format has no words for
 */
export function ggufTokenizer(folder: string, tokenizer: Tokenizer, rows: number) {
  const path = join(folder, "tokenizer.json");
  const metadata = existsSync(path)
    ? fromJson(readJsonObject(path) as unknown as TokenizerJson, tokenizer, rows, path)
    : fromPieces(join(folder, "tokenizer.model"), tokenizer, rows);
  if (existsSync(path)) metadata.set(HUGGING_FACE_JSON, readFileSync(path, "utf8"));
  return { metadata, notes: differencesOf(tokenizer, metadata, folder) };
}

type Value = string | boolean | number | readonly string[] | Int32Array | Float32Array;

function fromJson(json: TokenizerJson, tokenizer: Tokenizer, rows: number, path: string): Map<string, Value> {
  const merges = json.model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
  if (!isByteLevel(json)) {
    // A merge is ranked by the score of what it makes.
    const scores = new Map<string, number>();
    for (const [rank, merge] of merges.entries()) {
      const made = merge.replace(" ", "");
      if (!scores.has(made)) scores.set(made, -rank);
    }
    const isByte = (text: string) => json.model.unk_token !== text && /^<0x[0-9A-F]{2}>$/.test(text);
    return pieceMetadata(tokenizer, rows, (id, text) =>
      isByte(text)
        ? { text, score: 0, kind: pieceKind.byte }
        : {
            text,
            score: scores.get(text) ?? (json.model.vocab[text] === id ? -merges.length : ADDED_SCORE),
            kind: pieceKind.normal,
          },
    );
  }
  const pre = preTokenizerName(json);
  if (pre === undefined)
    throw new LlavaError(
      "usage",
      `${path}: a GGUF file cannot hold this tokenizer, which cuts words in another way`,
      {
        hint: `Known are ${Object.keys(preTokenizers).join(", ")}.`,
      },
    );
  const { tokens, kinds } = tokensOf(tokenizer, rows);
  return new Map<string, Value>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", pre],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", Int32Array.from(kinds)],
    ["tokenizer.ggml.merges", merges],
    ...roles(tokenizer, rows),
  ]);
}

function fromPieces(path: string, tokenizer: Tokenizer, rows: number): Map<string, Value> {
  const pieces = readSentencePieceModel(readFileSync(path), path);
  return pieceMetadata(
    tokenizer,
    rows,
    (id, text) => pieces[id] ?? { text, score: ADDED_SCORE, kind: pieceKind.normal },
  );
}

function pieceMetadata(
  tokenizer: Tokenizer,
  rows: number,
  pieceOf: (id: number, text: string) => SentencePiece,
): Map<string, Value> {
  const { tokens, kinds } = tokensOf(tokenizer, rows);
  const pieces = tokens.map((text, id): SentencePiece => {
    const kind = kinds[id]!;
    if (kind === pieceKind.unused) return { text, score: ADDED_SCORE, kind };
    const piece = pieceOf(id, text);
    return kind === pieceKind.normal
      ? piece
      : { ...piece, kind: id === tokenizer.unkId ? pieceKind.unknown : kind };
  });
  return new Map<string, Value>([
    ["tokenizer.ggml.model", "llama"],
    ["tokenizer.ggml.pre", "default"],
    ["tokenizer.ggml.tokens", pieces.map(({ text }) => text)],
    ["tokenizer.ggml.scores", Float32Array.from(pieces, ({ score }) => score)],
    ["tokenizer.ggml.token_type", Int32Array.from(pieces, ({ kind }) => kind)],
    [
      "tokenizer.ggml.add_space_prefix",
      tokenizer.idToToken(tokenizer.encode("a")[0]!)?.startsWith("▁") ?? true,
    ],
    ...roles(tokenizer, rows),
  ]);
}

/** A token for each row, in the vocabulary's writing, and what kind each is. */
function tokensOf(tokenizer: Tokenizer, rows: number): { tokens: string[]; kinds: number[] } {
  const added = new Map(tokenizer.addedTokens.map(({ id, special }) => [id, special]));
  const tokens = Array.from({ length: rows }, (_, id) => tokenizer.idToToken(id) ?? `[PAD${id}]`);
  const kinds = tokens.map((_, id) => {
    if (tokenizer.idToToken(id) === undefined) return pieceKind.unused;
    const special = added.get(id);
    return special === undefined ? pieceKind.normal : special ? pieceKind.control : pieceKind.userDefined;
  });
  return { tokens, kinds };
}

/** Of the roles, those that have a row. */
function roles({ bosId, eosId, padId, unkId, addsBos }: Tokenizer, rows: number): [string, Value][] {
  const ids = { bos: bosId, eos: eosId, padding: padId, unknown: unkId };
  return [
    ...Object.entries(ids).flatMap(([role, id]): [string, Value][] =>
      id !== undefined && id < rows ? [[`tokenizer.ggml.${role}_token_id`, id]] : [],
    ),
    ["tokenizer.ggml.add_bos_token", addsBos],
    ["tokenizer.ggml.add_eos_token", false],
  ];
}

const SAMPLES = [
  "The quick brown fox, 3.14 of them, can't jump over 1234567 lazy dogs!",
  "\n\n\tA tab; two  spaces;   trailing   ",
  "def f(x):\n    return x ** 2  # naïve façade\r\n",
  "Grüße aus Köln, Ελληνικά, русский, 日本語と中文, العربية, हिन्दी, 🙂👩‍👩‍👧",
  "A",
  "USER: What is it? ASSISTANT: It is a cat.",
];

/**
 * What other readers make of a file in another way.
 * @throws LlavaError "usage" where that is more than a space at the begin: the file would be wrong in silence
 */
function differencesOf(tokenizer: Tokenizer, metadata: ReadonlyMap<string, Value>, folder: string): string[] {
  const read = tokenizerOfWords(metadata);
  const isOther = (text: string) => String(read.encode(text)) !== String(tokenizer.encode(text));
  const other = SAMPLES.find(isOther);
  if (other === undefined)
    return isOther("  Spaces") ? ["other readers put one more space before a text that begins with one"] : [];
  throw new LlavaError(
    "usage",
    `${folder}: a GGUF file cannot hold this tokenizer: ${JSON.stringify(other.slice(0, 20))} would become other tokens`,
    { hint: "Write another layout (llava convert --to hf, or --to original)." },
  );
}
