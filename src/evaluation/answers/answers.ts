import { LlavaError } from "../../errors.ts";
import type { Answer, Verdict } from "../benchmark.ts";
import type { Verdicts } from "./read-verdicts.ts";

/** The answers of a file of predictions, by the question's id. */
export class Answers {
  readonly files: readonly string[];
  /** The model that the file names. */
  model: string | undefined;
  readonly texts = new Map<string, string>();
  /** Why questions have no answer. */
  readonly failures = new Map<string, string>();
  /** Ids of questions that a file may answer twice and does. */
  readonly repeated = new Set<string>();
  readonly #repeats: boolean;
  readonly #verdicts = new Map<string, Verdict>();
  /** Line of each id, in the order of `texts`; 0 where the format has none. */
  readonly #lines: number[] = [];

  /** `repeats`: the benchmark asks some questions twice, so that a second answer is no error. */
  constructor(files: readonly string[], repeats = false) {
    this.files = files;
    this.#repeats = repeats;
  }

  /**
   * Of two different answers to a question that the benchmark asks twice neither counts: the text is empty then.
   * @throws LlavaError "data" for an id that was there before, naming both lines
   */
  add({ id, text, verdict }: Answer, line = 0): void {
    const before = this.texts.get(id);
    if (before !== undefined) {
      if (!this.#repeats) throw this.#second(id, line);
      this.repeated.add(id);
      if (before !== text) this.texts.set(id, "");
      return;
    }
    this.texts.set(id, text);
    this.#lines.push(line);
    this.failures.delete(id);
    if (verdict) this.#verdicts.set(id, verdict);
  }

  /** Adds the answers of another file of the same run. @throws LlavaError "data" for an id that both have */
  join(other: Answers): Answers {
    const joined = new Answers([...this.files, ...other.files], this.#repeats);
    joined.model = this.model ?? other.model;
    for (const part of [this, other]) {
      let place = 0;
      for (const [id, text] of part.texts)
        joined.add({ id, text, verdict: part.#verdicts.get(id) }, part.#lines[place++]);
      for (const id of part.repeated) joined.repeated.add(id);
    }
    for (const part of [this, other])
      for (const [id, reason] of part.failures) if (!joined.texts.has(id)) joined.failures.set(id, reason);
    return joined;
  }

  /** The files, as errors name them. */
  get path(): string {
    return this.files.join(", ");
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

  #second(id: string, line: number): LlavaError {
    const first = this.#lineOf(id);
    const before = first > 0 ? `, after line ${first}` : "";
    const place = line > 0 ? `${this.path}:${line}` : this.path;
    return new LlavaError("data", `${place}: a second answer to question "${id}"${before}`, {
      hint: "Keep one answer a question; files of several runs or chunks may overlap.",
    });
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
