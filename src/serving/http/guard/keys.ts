import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { ApiError } from "../api-error.ts";

/** The keys that open a server; without any it is open. */
export class Keys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /**
   * Whose request it is: a name for the key, or for the machine that asks where there are no keys. Digests of equal length
   * are compared, and all of them, so that time tells nothing.
   * @throws ApiError 401
   */
  ownerOf({ headers, socket }: IncomingMessage): string {
    if (this.#digests.length === 0) return socket.remoteAddress ?? "local";
    const bearer = /^Bearer +(.*)$/i.exec(headers.authorization ?? "")?.[1];
    const given = bearer || headers["x-api-key"];
    const found = digest(typeof given === "string" ? given : "");
    let isKnown = false;
    for (const key of this.#digests) isKnown = timingSafeEqual(key, found) || isKnown;
    if (isKnown && given) return found.toString("hex", 0, 8);
    throw new ApiError(
      401,
      "invalid_api_key",
      given ? "The key is not known." : "A key is needed: Authorization: Bearer KEY, or X-Api-Key: KEY.",
    );
  }
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
