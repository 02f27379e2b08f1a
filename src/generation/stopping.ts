/** The part of a text that may be shown, and whether a stop string ended it. */
export interface ShownText {
  readonly text: string;
  readonly stopped: boolean;
  /** The stop string that did. */
  readonly by?: string;
}

/**
 * Cuts a growing text at the first stop string, which may arrive in pieces: the end of the text is held back for as long
 * as it could be the start of one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[] = []) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  /** Adds text; says what may be shown of it and of what was held back. After `stopped` nothing more may be added. */
  push(delta: string): ShownText {
    const text = this.#held + delta;
    const places = this.#stops.map((stop) => text.indexOf(stop));
    const end = Math.min(...places.filter((at) => at >= 0));
    if (end < Infinity) {
      this.#held = "";
      return { text: text.slice(0, end), stopped: true, by: this.#stops[places.indexOf(end)]! };
    }
    const open = this.#openFrom(text);
    this.#held = text.slice(open);
    return { text: text.slice(0, open), stopped: false };
  }

  /** What was held back, when no more text comes. */
  flush(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  /** Where the longest ending of `text` that begins a stop string starts. */
  #openFrom(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length)) - 1;
    for (let at = Math.max(0, text.length - longest); at < text.length; at++) {
      const ending = text.slice(at);
      if (this.#stops.some((stop) => stop.startsWith(ending))) return at;
    }
    return text.length;
  }
}
