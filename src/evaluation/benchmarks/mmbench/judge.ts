import type { JudgeProtocol, Verdict } from "../../benchmark.ts";
import { letters } from "../../parsing/index.ts";
import { readChoice } from "./choice.ts";
import type { MmBenchItem } from "./load.ts";

/** The letter after the last option, for an answer that means none of them; the original calls it E. */
export const noneOf = ({ options }: MmBenchItem): string => letters[Math.max(4, options.size)]!;

/** Asks which option an answer means where no rule can tell. */
export const mmBenchJudge: JudgeProtocol<MmBenchItem> = {
  model: "gpt-3.5-turbo-0613",
  sampling: { temperature: 0, maxTokens: 16 },
  needed: ({ options }, answer) => answer.trim() !== "" && readChoice(answer, options) === undefined,
  prompt(item, answer) {
    const options = [...item.options].map(([letter, option]) => `${letter}. ${option}`);
    const content = [
      "Match an answer to the options of a multiple-choice question.",
      `Reply with one letter: that of the option closest in meaning to the answer, or ${noneOf(item)} if the answer means none of them. Judge the meaning only, not whether it is right.`,
      "",
      `Question: ${item.question}`,
      "Options:",
      ...options,
      `Answer: ${answer}`,
      "Letter:",
    ].join("\n");
    return [{ role: "user", content }];
  },
  parse(reply, item): Verdict | undefined {
    const allowed = [...item.options.keys(), noneOf(item)];
    const named = allowed.filter((letter) => new RegExp(`(?<![A-Za-z])${letter}(?![A-Za-z])`).test(reply));
    return named.length === 1 ? { choice: named[0]! } : undefined;
  },
};
