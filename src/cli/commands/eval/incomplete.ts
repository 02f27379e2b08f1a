import { LlavaError } from "../../../errors.ts";
import type { Judged } from "../../../evaluation/index.ts";
import type { StoredFailure } from "../../../runner/index.ts";

/** What a command could not do although it went on: it shows its results first, and then fails. */
export class Incomplete {
  readonly #problems: string[] = [];
  #error: LlavaError | undefined;

  /** Questions without an answer. */
  add(benchmark: string, failures: readonly StoredFailure[]): void {
    const [first] = failures;
    if (first !== undefined)
      this.#problems.push(
        `${benchmark}: ${failures.length} questions got no answer, the first is "${first.id}": ${first.error}`,
      );
  }

  /** Answers without a verdict. */
  addJudged(benchmark: string, { rows }: Judged): void {
    const open = rows.filter(({ verdict }) => verdict === undefined);
    const [first] = open;
    if (first !== undefined)
      this.#problems.push(
        `${benchmark}: ${open.length} answers got no verdict, the first is that to "${first.id}": ${first.error ?? `the reply cannot be read: ${first.reply?.slice(0, 100)}`}`,
      );
  }

  /** A benchmark that could not be scored. */
  addUnscored(error: LlavaError): void {
    this.#error ??= error;
  }

  /** @throws LlavaError for what was added */
  check(): void {
    const [first, ...others] = this.#problems;
    if (first !== undefined)
      throw new LlavaError("data", `${first}${others.length > 0 ? `; and ${others.length} more such` : ""}`, {
        hint: "The scores leave these out and say so. The same command asks again what failed; --rounds, a judge that said nothing readable.",
      });
    if (this.#error) throw this.#error;
  }
}
