import { createHash } from "node:crypto";
import { PAGE } from "../../nn/index.ts";

/** A medium among the ids of a prompt, by what it shows. */
export interface PlacedMedium {
  readonly start: number;
  readonly length: number;
  readonly digest: string;
}

/** Who may share what is cached, and how positions are turned. */
export interface PrefixRoot {
  readonly owner: string;
  readonly salt: string;
  readonly ropeFactor: number | undefined;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Names of a sequence's full pages: each is a digest of all that its keys and values were computed of, the pages before it, its
 * ids, and which part of which medium stands where.
 */
export class PrefixNames {
  readonly #media: readonly PlacedMedium[];
  readonly #names: string[] = [];
  readonly #root: string;

  constructor({ owner, salt, ropeFactor }: PrefixRoot, media: readonly PlacedMedium[]) {
    this.#root = sha256(JSON.stringify([owner, salt, ropeFactor ?? null]));
    this.#media = media;
  }

  /** Of the page at an index; `ids` are the sequence's, at least to its end. */
  of(page: number, ids: readonly number[]): string {
    for (let at = this.#names.length; at <= page; at++) {
      const [start, end] = [at * PAGE, (at + 1) * PAGE];
      const media = this.#media
        .filter((medium) => medium.start < end && medium.start + medium.length > start)
        .map((medium) => [medium.start - start, medium.length, medium.digest]);
      const before = this.#names[at - 1] ?? this.#root;
      this.#names.push(sha256(JSON.stringify([before, ids.slice(start, end), media])));
    }
    return this.#names[page]!;
  }
}
