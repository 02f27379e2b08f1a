import type { Tensor } from "../../torch/index.ts";

interface Seen {
  readonly tokens: Tensor;
  readonly bytes: number;
  users: number;
}

/** What the language model is given of images, by their digests. What nobody uses goes when its memory is needed, the longest unused first. */
export class VisionCache implements Disposable {
  /** In the order of their last use. */
  readonly #seen = new Map<string, Seen>();
  readonly #isKept: boolean;
  #bytes = 0;

  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** [T, D], for one user more, until it is released. */
  take(digest: string): Tensor | undefined {
    const seen = this.#seen.get(digest);
    if (seen === undefined) return undefined;
    this.#seen.delete(digest);
    this.#seen.set(digest, seen);
    seen.users++;
    return seen.tokens;
  }

  /** Takes over the tensor. */
  put(digest: string, tokens: Tensor, { bytes, users }: { bytes: number; users: number }): void {
    this.#seen.set(digest, { tokens, bytes, users });
    this.#bytes += bytes;
  }

  release(digest: string): void {
    this.#seen.get(digest)!.users--;
    if (!this.#isKept) this.evict();
  }

  /** Forgets what is longest unused; false if all is in use. */
  evict(): boolean {
    for (const [digest, { tokens, bytes, users }] of this.#seen) {
      if (users > 0) continue;
      this.#seen.delete(digest);
      this.#bytes -= bytes;
      tokens.dispose();
      return true;
    }
    return false;
  }

  [Symbol.dispose](): void {
    for (const { tokens } of this.#seen.values()) tokens.dispose();
    this.#seen.clear();
    this.#bytes = 0;
  }
}
