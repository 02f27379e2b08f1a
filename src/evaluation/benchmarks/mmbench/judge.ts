import type { JudgeProtocol, Verdict } from "../../benchmark.ts";
import { letters } from "../../prompting/index.ts";
import { readChoice } from "./choice.ts";
import type { MmBenchItem } from "./load.ts";
import { officialPrompt } from "./official-prompt.ts";

/** The letter after the last option, for an answer that means none of them; the original calls it E. */
const noneOf = ({ options }: MmBenchItem): string => letters[Math.max(4, options.size)]!;

/** Asks which option an answer means where no rule can tell. */
export const mmBenchJudge: JudgeProtocol<MmBenchItem> = {
  model: "gpt-3.5-turbo-0613",
  sampling: { temperature: 0, maxTokens: 16 },
  official: {
    licence: "VLMEvalKit, multiple_choice.py, Apache-2.0, Copyright VLMEvalKit Authors",
    prompt: officialPrompt,
    // It says Z for none of them.
    parse: (reply, item) => onlyLetter(reply, [...item.options.keys()], { Z: noneOf(item) }),
  },
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
  parse: (reply, item) => onlyLetter(reply, [...item.options.keys(), noneOf(item)]),
};

/** The one letter of those allowed that a reply holds, or what another letter stands for. */
function onlyLetter(
  reply: string,
  letters: readonly string[],
  others: Readonly<Record<string, string>> = {},
): Verdict | undefined {
  const named = [...letters, ...Object.keys(others)].filter((letter) =>
    new RegExp(`(?<![A-Za-z])${letter}(?![A-Za-z])`).test(reply),
  );
  return named.length === 1 ? { choice: others[named[0]!] ?? named[0]! } : undefined;
}
