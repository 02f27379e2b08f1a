import type { BenchmarkItem, JudgeProtocol, Verdict } from "../benchmark.ts";
import type { Replies } from "../results/result.ts";

/** Reads a judge's stored replies once more, so that a file of verdicts cannot say what the judge did not. */
export class RepliesReadAgain {
  #read = 0;
  readonly #differing: Replies["differing"] = [];

  add<Item extends BenchmarkItem>(
    judge: JudgeProtocol<Item>,
    item: Item,
    verdict: Verdict,
    reply: string | undefined,
  ): void {
    if (reply === undefined) return;
    this.#read++;
    const reading = judge.parse(reply, item);
    const same = reading && Object.entries(reading).every(([name, value]) => verdict[name] === value);
    if (!same)
      this.#differing.push({
        id: item.id,
        verdict: { ...verdict },
        reading: reading ? { ...reading } : null,
      });
  }

  /** Null if no reply came with the verdicts. */
  finish(): Replies | null {
    return this.#read === 0 ? null : { read: this.#read, differing: this.#differing };
  }
}
