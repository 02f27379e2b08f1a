import { LlavaError } from "../../../errors.ts";
import { download } from "../../../processing/image/index.ts";
import { Slots } from "../../../slots.ts";
import { ApiError } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";

interface FetchOptions {
  readonly kind: "image" | "video";
  /** Bytes. */
  readonly most: number;
  readonly param: string;
  readonly signal: AbortSignal;
}

/** Fetches what clients name by address, from the public internet alone, few at once. */
export class Fetcher {
  readonly #slots: Slots;
  readonly #timeout: number;
  readonly #allowPrivate: boolean;

  constructor({ fetchesAtOnce, fetchSeconds }: ServerLimits, allowPrivate: boolean) {
    this.#slots = new Slots(fetchesAtOnce);
    this.#timeout = fetchSeconds * 1000;
    this.#allowPrivate = allowPrivate;
  }

  /** @throws ApiError 400 with one text for all that an address can do, which tells nothing of the network behind the server */
  async fetch(url: string, { kind, most, param, signal }: FetchOptions): Promise<Uint8Array> {
    // A backslash is a slash to some readers of addresses and a part of the name to others.
    if (!URL.canParse(url) || /[\\\s]/.test(url)) throw failed(kind, param);
    using _slot = await this.#slots.take(signal);
    try {
      return await download(new URL(url), {
        maxBytes: most,
        timeout: this.#timeout,
        allowPrivate: this.#allowPrivate,
        signal,
      });
    } catch (error) {
      if (error instanceof LlavaError && error.code === "network") throw failed(kind, param, error);
      throw error;
    }
  }
}

const failed = (kind: string, param: string, cause?: unknown): ApiError =>
  new ApiError(
    400,
    `${kind}_fetch_failed`,
    `${param}: the ${kind} could not be fetched. Only public http: and https: addresses are, within the server's limits of time and size.`,
    { param, cause },
  );
