import { type AddedToken, type AddedTokenSplitter, addedTokenSplitter } from "./added-tokens.ts";
import { fromByteAlphabet, toByteAlphabet } from "./byte-alphabet.ts";
import { type MergeRank, mergeSymbols } from "./byte-pair-encoding.ts";
import type { DecodeOptions, EncodedSpans, EncodeOptions, TextSpan, Tokenizer } from "./tokenizer.ts";

/** What a `tokenizer.json`, a SentencePiece model or the metadata of a GGUF file say about a BPE tokenizer. */
export interface BpeDefinition {
  /** Written form of each id; holes are allowed. */
  readonly tokens: readonly (string | undefined)[];
  readonly rank: MergeRank;
  readonly addedTokens: readonly AddedToken[];
  /** `bytes`: GPT-2's alphabet. `sentencepiece`: plain text with "▁" for the space and `<0x0A>` for single bytes. */
  readonly alphabet: "bytes" | "sentencepiece";
  /** Whether a word that is in the vocabulary is taken whole, without merging (Llama 3). */
  readonly takesWholeWords: boolean;
  readonly stripsLeadingSpace: boolean;
  /** Normalises a stretch of ordinary text and cuts it into words; `isFirst` tells the start of the input. */
  readonly words: (text: string, isFirst: boolean) => readonly string[];
  readonly addsBos: boolean;
  readonly bosId?: number | undefined;
  readonly eosId?: number | undefined;
  readonly padId?: number | undefined;
  readonly unkId?: number | undefined;
}

interface EncodedWord {
  readonly ids: readonly number[];
  /** UTF-8 bytes of the word that each id covers. */
  readonly lengths: readonly number[];
}

const cacheCapacity = 20_000;
const longestCachedWord = 64;
const noBytes = new Uint8Array();
const singleByte = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * Byte-pair encoding with the special tokens kept apart: ordinary text cannot reach a special id, neither by
 * its spelling nor by merges. `@huggingface/tokenizers` always parses special strings and takes 0.2 to 0.5 s
 * to index a large vocabulary, so only its normalisers and pre-tokenisers are used (see tokenizer-json.ts).
 */
export class BpeTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  readonly unkId: number | undefined;
  readonly addsBos: boolean;
  readonly stripsLeadingSpace: boolean;
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly addedTokens: readonly AddedToken[];

  readonly #definition: BpeDefinition;
  readonly #tokens: (string | undefined)[];
  readonly #ids = new Map<string, number>();
  readonly #specialIds: ReadonlySet<number>;
  readonly #wholeIds: ReadonlySet<number>;
  readonly #splitAll: AddedTokenSplitter;
  readonly #splitOrdinary: AddedTokenSplitter;
  readonly #rank: MergeRank;
  readonly #cache = new Map<string, EncodedWord>();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(definition: BpeDefinition) {
    this.#definition = definition;
    this.addedTokens = definition.addedTokens;
    this.#tokens = [...definition.tokens];
    for (const { id, content } of definition.addedTokens) this.#tokens[id] = content;
    for (let id = this.#tokens.length - 1; id >= 0; id--) {
      const token = this.#tokens[id];
      if (token !== undefined) this.#ids.set(token, id);
    }
    const special = definition.addedTokens.filter((token) => token.special);
    this.specialTokens = new Map(special.map((token) => [token.content, token.id]));
    this.#specialIds = new Set(special.map((token) => token.id));
    this.#wholeIds = new Set(definition.addedTokens.map((token) => token.id));
    this.#splitAll = addedTokenSplitter(definition.addedTokens);
    this.#splitOrdinary = addedTokenSplitter(definition.addedTokens.filter((token) => !token.special));
    this.#rank = (left, right) => {
      const rank = definition.rank(left, right);
      return rank !== undefined && this.specialTokens.has(left + right) ? undefined : rank;
    };
    this.vocabSize = this.#tokens.length;
    this.stripsLeadingSpace = definition.stripsLeadingSpace;
    this.addsBos = definition.addsBos && definition.bosId !== undefined;
    this.bosId = definition.bosId;
    this.eosId = definition.eosId;
    this.padId = definition.padId;
    this.unkId = definition.unkId;
  }

  encode(text: string, { special = false, addBos = false }: EncodeOptions = {}): number[] {
    const { ids } = this.encodeSpans([{ text, special }]);
    return addBos && this.bosId !== undefined ? [this.bosId, ...ids] : ids;
  }

  encodeSpans(spans: readonly TextSpan[]): EncodedSpans {
    const encoded: EncodedSpans = { ids: [], firstSpan: [], lastSpan: [] };
    let ordinary: { text: string; span: number }[] = [];
    let isFirst = true;
    const flush = () => {
      if (ordinary.length === 0) return;
      this.#encodeOrdinary(ordinary, isFirst, encoded);
      ordinary = [];
      isFirst = false;
    };
    spans.forEach((span, index) => {
      const sections = span.special ? this.#splitAll(span.text) : [span.text];
      for (const section of sections) {
        if (typeof section === "string") {
          if (section !== "") ordinary.push({ text: section, span: index });
        } else if (!this.#specialIds.has(section)) {
          ordinary.push({ text: this.#tokens[section]!, span: index });
        } else {
          flush();
          append(encoded, section, index, index);
          isFirst = false;
        }
      }
    });
    flush();
    return encoded;
  }

  decode(ids: readonly number[], { skipSpecial = false }: DecodeOptions = {}): string {
    const kept = skipSpecial ? ids.filter((id) => !this.#specialIds.has(id)) : ids;
    const text = this.#decoder.decode(Buffer.concat(kept.map((id) => this.bytesOf(id))));
    return this.stripsLeadingSpace && text.startsWith(" ") ? text.slice(1) : text;
  }

  bytesOf(id: number): Uint8Array {
    const token = this.#tokens[id];
    if (token === undefined) return noBytes;
    if (this.#wholeIds.has(id)) return Buffer.from(token, "utf8");
    if (this.#definition.alphabet === "bytes") return fromByteAlphabet(token) ?? Buffer.from(token, "utf8");
    const byte = singleByte.exec(token);
    return byte
      ? Uint8Array.of(Number.parseInt(byte[1]!, 16))
      : Buffer.from(token.replaceAll("▁", " "), "utf8");
  }

  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** Joins the sections, encodes them at once and finds the spans of each id by counting bytes. */
  #encodeOrdinary(sections: { text: string; span: number }[], isFirst: boolean, encoded: EncodedSpans): void {
    const whole = sections.map((section) => section.text).join("");
    const parts = this.#ordinaryParts(whole, isFirst);
    const only = sections.length === 1;
    const ends = only ? [] : this.#sectionEnds(sections, isFirst);
    let section = 0;
    let covered = 0;
    for (const { ids, lengths } of parts) {
      for (let i = 0; i < ids.length; i++) {
        if (only) {
          append(encoded, ids[i]!, sections[0]!.span, sections[0]!.span);
          continue;
        }
        while (section + 1 < ends.length && ends[section]! <= covered) section++;
        const first = section;
        covered += lengths[i]!;
        let last = first;
        while (last + 1 < ends.length && ends[last]! < covered) last++;
        append(encoded, ids[i]!, sections[first]!.span, sections[last]!.span);
      }
    }
  }

  /** Where each section ends in the normalised whole, in UTF-8 bytes. */
  #sectionEnds(sections: { text: string }[], isFirst: boolean): number[] {
    let prefix = "";
    return sections.map((section) => {
      prefix += section.text;
      let bytes = 0;
      this.#splitOrdinary(prefix).forEach((part, index) => {
        const isToken = typeof part === "number";
        const words = isToken ? [this.#tokens[part]!] : this.#definition.words(part, isFirst && index === 0);
        for (const word of words) bytes += Buffer.byteLength(word);
      });
      return bytes;
    });
  }

  #ordinaryParts(text: string, isFirst: boolean): EncodedWord[] {
    return this.#splitOrdinary(text).flatMap((section, index) =>
      typeof section === "number"
        ? [{ ids: [section], lengths: [Buffer.byteLength(this.#tokens[section]!)] }]
        : this.#definition.words(section, isFirst && index === 0).map((word) => this.#encodeWord(word)),
    );
  }

  #encodeWord(word: string): EncodedWord {
    const cached = this.#cache.get(word);
    if (cached) return cached;
    const ids: number[] = [];
    const lengths: number[] = [];
    const { alphabet, takesWholeWords } = this.#definition;
    const written = alphabet === "bytes" ? toByteAlphabet(word) : word;
    const isWhole = takesWholeWords && this.#ordinaryId(written) !== undefined;
    let wasUnknown = false;
    for (const symbol of isWhole ? [written] : mergeSymbols(written, this.#rank)) {
      const length = alphabet === "bytes" ? symbol.length : Buffer.byteLength(symbol);
      const known = this.#ordinaryId(symbol);
      const symbolIds = known === undefined ? this.#fallback(symbol) : [known];
      if (symbolIds !== undefined) {
        ids.push(...symbolIds);
        lengths.push(...symbolIds.map(() => length / symbolIds.length));
      } else if (wasUnknown) {
        lengths[lengths.length - 1]! += length;
      } else if (this.unkId !== undefined) {
        ids.push(this.unkId);
        lengths.push(length);
      }
      wasUnknown = symbolIds === undefined && this.unkId !== undefined;
    }
    const encoded = { ids, lengths };
    if (word.length <= longestCachedWord) {
      if (this.#cache.size >= cacheCapacity) this.#cache.clear();
      this.#cache.set(word, encoded);
    }
    return encoded;
  }

  #ordinaryId(symbol: string): number | undefined {
    return this.specialTokens.has(symbol) ? undefined : this.#ids.get(symbol);
  }

  /** The single-byte tokens that spell a character outside the vocabulary, if there are such tokens. */
  #fallback(symbol: string): number[] | undefined {
    const ids: number[] = [];
    for (const byte of Buffer.from(symbol, "utf8")) {
      const id = this.#ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }
}

function append(encoded: EncodedSpans, id: number, first: number, last: number): void {
  encoded.ids.push(id);
  encoded.firstSpan.push(first);
  encoded.lastSpan.push(last);
}
