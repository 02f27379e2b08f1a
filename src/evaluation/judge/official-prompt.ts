import { LlavaError } from "../../errors.ts";
import type { Benchmark } from "../benchmark.ts";

/** Whose words a judge is asked in: those of published scores, or this project's where the benchmark has both. */
export type JudgePromptChoice = "own" | "official";

/**
 * The benchmark with the official prompt as its judge's, if that is chosen.
 * @throws LlavaError "usage" where it cannot be offered, saying why
 */
export function withJudgePrompt(benchmark: Benchmark, choice: JudgePromptChoice | undefined): Benchmark {
  const { judge, name } = benchmark;
  if (choice !== "official" || judge === undefined || judge.official === "same") return benchmark;
  if ("withheld" in judge.official)
    throw new LlavaError(
      "usage",
      `the official judge prompt of ${name} is not offered: ${judge.official.withheld}`,
      {
        hint: "Leave out --judge-prompt: the judge is then asked the same in other words, as the result says.",
      },
    );
  const { licence: _, ...official } = judge.official;
  return { ...benchmark, judge: { ...judge, ...official, official: "same" } };
}

/** What the words that a benchmark's judge is asked in mean for its scores; undefined where they are the official ones. */
function judgeDifference({ judge }: Pick<Benchmark, "judge">): string | undefined {
  if (judge === undefined || judge.official === "same") return undefined;
  const way =
    "withheld" in judge.official
      ? `the official prompt is not offered: ${judge.official.withheld}`
      : "--judge-prompt official asks in the official ones";
  return `the judge is asked in this project's own words; ${way}`;
}

/** All that differs from the official scorer; the judge's words only where the judge was asked in them. */
export const differencesOf = (benchmark: Benchmark, wasAsked = true): readonly string[] => [
  ...(benchmark.differences ?? []),
  ...(wasAsked ? [judgeDifference(benchmark) ?? []].flat() : []),
];
