import { LlavaError } from "../../errors.ts";
import type { Answer, Verdict } from "../benchmark.ts";
import type { Verdicts } from "./read-verdicts.ts";

/** The answers of a file of predictions, by the question's id. */
export class Answers {
  readonly path: string;
  /** The model that the file names. */
  model: string | undefined;
  readonly texts = new Map<string, string>();
  /** Why questions have no answer. */
  readonly failures = new Map<string, string>();
  readonly #verdicts = new Map<string, Verdict>();
  /** Line of each id, in the order of `texts`; 0 where the format has none. */
  readonly #lines: number[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** @throws LlavaError "data" for an id that was there before, naming both lines */
  add({ id, text, verdict }: Answer, line = 0): void {
    if (this.texts.has(id)) {
      const first = this.#lineOf(id);
      const before = first > 0 ? `, after line ${first}` : "";
      const place = line > 0 ? `${this.path}:${line}` : this.path;
      throw new LlavaError("data", `${place}: a second answer to question "${id}"${before}`, {
        hint: "Keep one answer a question; files of several runs or chunks may overlap.",
      });
    }
    this.texts.set(id, text);
    this.#lines.push(line);
    this.failures.delete(id);
    if (verdict) this.#verdicts.set(id, verdict);
  }

  /** The verdicts that stand beside the answers; undefined where none do. */
  get verdicts(): Verdicts | undefined {
    const { path } = this;
    return this.#verdicts.size === 0
      ? undefined
      : { path, byId: this.#verdicts, replies: new Map(), judge: undefined };
  }

  /** "answers.jsonl:12", or the path alone. */
  where(id: string): string {
    const line = this.#lineOf(id);
    return line > 0 ? `${this.path}:${line}` : this.path;
  }

  #lineOf(id: string): number {
    let place = 0;
    for (const known of this.texts.keys()) {
      if (known === id) return this.#lines[place] ?? 0;
      place++;
    }
    return 0;
  }
}
