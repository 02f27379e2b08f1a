import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { LlavaError } from "../../errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { BpeTokenizer } from "./bpe-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { wordSplitter } from "./words.ts";

/** Kinds of pieces, numbered alike in SentencePiece models and in GGUF's `token_type`. */
export const pieceKind = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface SentencePiece {
  readonly text: string;
  /** Log probability; in BPE models minus the rank of the merge. */
  readonly score: number;
  readonly kind: number;
}

export interface SentencePieceOptions {
  readonly addedTokens?: readonly AddedToken[];
  readonly bosId?: number | undefined;
  readonly eosId?: number | undefined;
  readonly padId?: number | undefined;
  readonly unkId?: number | undefined;
  readonly addsBos?: boolean;
  /** Whether text starts with a dummy "▁", as it did in training. Default true. */
  readonly addsSpacePrefix?: boolean;
}

/** A SentencePiece BPE tokenizer (Llama 2, Vicuna, Mistral, Yi): the piece of best score is merged first. */
export function sentencePieceTokenizer(
  pieces: readonly SentencePiece[],
  { addedTokens = [], addsBos = true, addsSpacePrefix = true, ...roles }: SentencePieceOptions = {},
): Tokenizer {
  const { unknown, control, userDefined, byte } = pieceKind;
  const idOfKind = (kind: number, text?: string) => {
    const id = pieces.findIndex(
      (piece) => piece.kind === kind && (text === undefined || piece.text === text),
    );
    return id < 0 ? undefined : id;
  };
  const own = pieces.flatMap(({ text, kind }, id) =>
    kind === control || kind === unknown || kind === userDefined
      ? [
          {
            id,
            content: kind === userDefined ? text.replaceAll("▁", " ") : text,
            special: kind !== userDefined,
          },
        ]
      : [],
  );
  const priority = new Map<string, number>();
  for (const { text, score, kind } of pieces) {
    if (kind !== control && kind !== unknown && kind !== byte) priority.set(text, -score);
  }
  const prefix = { type: "Prepend", prepend: "▁" };
  const spaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  return new BpeTokenizer({
    tokens: pieces.map((piece) => piece.text),
    rank: (left, right) => priority.get(left + right),
    addedTokens: [...new Map([...addedTokens, ...own].map((token) => [token.content, token])).values()],
    alphabet: "sentencepiece",
    takesWholeWords: false,
    stripsLeadingSpace: addsSpacePrefix,
    words: wordSplitter(
      { type: "Sequence", normalizers: addsSpacePrefix ? [prefix, spaces] : [spaces] },
      null,
    ),
    addsBos,
    bosId: roles.bosId ?? idOfKind(control, "<s>"),
    eosId: roles.eosId ?? idOfKind(control, "</s>"),
    padId: roles.padId,
    unkId: roles.unkId ?? idOfKind(unknown),
  });
}

/**
 * Reads the pieces of a `tokenizer.model`, a protocol buffer whose field 1 repeats (piece, score, type).
 * @throws LlavaError "checkpoint" if the buffer does not parse
 */
export function readSentencePieceModel(buffer: Uint8Array, file: string): SentencePiece[] {
  const pieces: SentencePiece[] = [];
  try {
    const model = new BinaryReader(buffer);
    while (model.pos < model.len) {
      const [field, type] = model.tag();
      if (field === 1 && type === WireType.LengthDelimited) pieces.push(readPiece(model.bytes()));
      else model.skip(type, field);
    }
  } catch (error) {
    throw new LlavaError("checkpoint", `${file} is not a SentencePiece model`, {
      hint: "The file may be cut short, or a pointer left by an incomplete download.",
      cause: error,
    });
  }
  if (pieces.length === 0) throw new LlavaError("checkpoint", `${file} holds no SentencePiece vocabulary`);
  return pieces;
}

function readPiece(bytes: Uint8Array): SentencePiece {
  let [text, score, kind]: [string, number, number] = ["", 0, pieceKind.normal];
  const piece = new BinaryReader(bytes);
  while (piece.pos < piece.len) {
    const [field, type] = piece.tag();
    if (field === 1) text = piece.string();
    else if (field === 2) score = piece.float();
    else if (field === 3) kind = piece.int32();
    else piece.skip(type, field);
  }
  return { text, score, kind };
}
