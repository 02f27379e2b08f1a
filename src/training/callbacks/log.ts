import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder, writeAtomically, writing } from "../../files/index.ts";
import type { RankStep } from "../learner.ts";
import type { Callback } from "../trainer.ts";
import { median } from "./median.ts";

/** A line of the log: what a step did, or an evaluation's result. */
export type LogEntry = Readonly<Record<string, number>> & { readonly step: number };

/** Where entries go. */
export interface LogSink {
  write(entry: LogEntry): void;
}

/** The run's JSON lines. */
export class RunLog implements LogSink {
  readonly #path: string;

  /** Lines of steps behind `step`, left by a run that went on after its last checkpoint, are dropped. */
  constructor(path: string, step: number) {
    this.#path = path;
    makeFolder(dirname(path));
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    const kept = lines.filter((line) => line !== "" && stepOf(line) <= step);
    writeAtomically(path, [kept.map((line) => `${line}\n`).join("")]);
  }

  write(entry: LogEntry): void {
    writing(this.#path, () => appendFileSync(this.#path, `${JSON.stringify(entry)}\n`));
  }
}

/** A line that was cut short belongs to no step. */
function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as LogEntry).step;
  } catch {
    return Infinity;
  }
}

/** Resident memory of this process and its peak, MiB. */
export const memory = () => ({
  mebibytes: process.memoryUsage.rss() / 2 ** 20,
  peakMebibytes: process.resourceUsage().maxRSS / 2 ** 10,
});

/** Of several ranks: how long they compute, waits for others left out, and which of them longest. */
function computing(ranks: readonly RankStep[]): Record<string, number> {
  if (ranks.length === 1) return {};
  const seconds = ranks.map((rank) => rank.computing);
  const longest = Math.max(...seconds);
  return {
    computingSeconds: median(seconds),
    longestComputingSeconds: longest,
    slowestRank: seconds.indexOf(longest),
  };
}

/** Writes every step: loss, learning rates by their names in the recipe, gradient norm, speed, memory. */
export const stepLog = (log: LogSink, peakRates: Readonly<Record<string, number>>): Callback => ({
  afterStep: (
    _,
    { step, loss, measures, learningRateFactor, gradientNorm, units, tokens, ranks, seconds, skipped },
  ) =>
    log.write({
      step,
      loss,
      ...measures,
      ...Object.fromEntries(
        Object.entries(peakRates).map(([name, rate]) => [name, rate * learningRateFactor]),
      ),
      gradientNorm,
      units,
      tokens,
      tokensPerSecond: tokens / seconds,
      seconds,
      ...computing(ranks),
      ...(skipped && { skipped: 1 }),
      ...memory(),
    }),
});
