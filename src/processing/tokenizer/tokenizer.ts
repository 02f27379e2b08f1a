import type { AddedToken } from "./added-tokens.ts";

/** A stretch of prompt text. Only `special` text, written by a template, may turn into special ids. */
export interface TextSpan {
  readonly text: string;
  readonly special: boolean;
}

/** Ids of spans that were encoded as one string, and for each id the first and the last span it covers. */
export interface EncodedSpans {
  readonly ids: number[];
  readonly firstSpan: number[];
  readonly lastSpan: number[];
}

export interface EncodeOptions {
  /** Whether strings such as `</s>` become their special ids. Text from users and data sets must not. Default false. */
  readonly special?: boolean;
  /** Whether the begin-of-sequence id is put in front. Default false. */
  readonly addBos?: boolean;
}

export interface DecodeOptions {
  /** Whether special tokens are left out. Default false. */
  readonly skipSpecial?: boolean;
}

/** Text to token ids and back. */
export interface Tokenizer {
  /** Largest id + 1; an embedding table may have more rows. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  readonly unkId: number | undefined;
  /** Whether a prompt for this tokenizer starts with the begin-of-sequence id. */
  readonly addsBos: boolean;
  readonly specialTokens: ReadonlyMap<string, number>;
  /** Those that are matched as a whole: the special ones and others. */
  readonly addedTokens: readonly AddedToken[];
  /** Whether decoded text loses one leading space, the dummy prefix that SentencePiece adds. */
  readonly stripsLeadingSpace: boolean;

  encode(text: string, options?: EncodeOptions): number[];
  /** Encodes adjacent spans as the one string they form, with special strings recognised in `special` spans only. */
  encodeSpans(spans: readonly TextSpan[]): EncodedSpans;
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** The UTF-8 bytes an id stands for, which may be part of a character. Unknown ids stand for nothing. */
  bytesOf(id: number): Uint8Array;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
}
