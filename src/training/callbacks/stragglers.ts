import type { RankStep } from "../learner.ts";
import type { Callback, Run, StepMetrics } from "../trainer.ts";
import { median } from "./median.ts";

/** Steps that ranks are compared over. */
const WINDOW = 20;
/** Times the others' seconds from which on a rank is slow. */
const SLOW = 1.2;

/**
 * Tells of ranks that are steadily slower than the others, which all wait for: for their own computing, and for their tokens, since
 * who has more rows is not slow.
 */
export class Stragglers implements Callback {
  readonly #hosts: readonly string[];
  readonly #report: (line: string) => void;
  #steps: (readonly RankStep[])[] = [];
  #told = new Set<number>();

  /** `hosts`: the machine of each rank. */
  constructor(hosts: readonly string[], report: (line: string) => void) {
    this.#hosts = hosts;
    this.#report = report;
  }

  afterStep(_: Run, { ranks }: Pick<StepMetrics, "ranks">): void {
    if (ranks.length === 1) return;
    this.#steps.push(ranks);
    if (this.#steps.length < WINDOW) return;
    const seconds = this.#usual(({ computing }) => computing);
    const ofToken = this.#usual(({ computing, tokens }) => (tokens > 0 ? computing / tokens : 0));
    this.#steps = [];
    const slow = ranks.keys().filter((rank) => [seconds, ofToken].every((of) => beside(of, rank) > SLOW));
    const before = this.#told;
    this.#told = new Set(slow);
    for (const rank of this.#told) if (!before.has(rank)) this.#tell(rank, seconds);
  }

  #tell(rank: number, seconds: readonly number[]): void {
    const own = seconds[rank]!;
    const times = beside(seconds, rank);
    this.#report(
      `rank ${rank} (${this.#hosts[rank]}) is slow: it computes for ${own.toFixed(3)} s a step, ${times.toFixed(2)} times as long as ` +
        `the others (${(own / times).toFixed(3)} s), over ${WINDOW} steps`,
    );
  }

  /** Of each rank. */
  #usual(of: (step: RankStep) => number): number[] {
    return this.#hosts.map((_, rank) => median(this.#steps.map((ranks) => of(ranks[rank]!))));
  }
}

/** A rank's value over the median of the others', who have none where they have no tokens. */
function beside(values: readonly number[], rank: number): number {
  const others = values.filter((value, i) => i !== rank && value > 0);
  return others.length > 0 ? values[rank]! / median(others) : 0;
}
