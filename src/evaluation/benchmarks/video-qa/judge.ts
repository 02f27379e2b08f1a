import type { JudgeProtocol, Verdict } from "../../benchmark.ts";
import type { OpenItem } from "./open-item.ts";

/** Why the prompts of Video-ChatGPT's evaluation are not here. */
export const promptLicence =
  "Video-ChatGPT's repository names two licences, CC BY 4.0 and CC BY-NC-SA 4.0, of which the second forbids it";

const task =
  "You compare the answer that a model gave to a question about a video with the right answer. What counts is whether both mean the same: synonyms and paraphrases are right.";

/** Asks for a verdict and a score in one dictionary, as Video-ChatGPT's evaluation of short answers does; words of our own. */
export const judge: JudgeProtocol<OpenItem> = {
  model: "gpt-3.5-turbo-0613",
  official: { withheld: promptLicence },
  sampling: { temperature: 0, maxTokens: 64 },
  prompt: ({ question, answer: truth }, answer) => [
    { role: "system", content: task },
    {
      role: "user",
      content: [
        `Question: ${question}`,
        `Right answer: ${truth}`,
        `Answer of the model: ${answer}`,
        "",
        "Say in 'pred' whether the model's answer is right ('yes' or 'no'), and in 'score' how well it matches, as an integer from 0 to 5. Reply with a dictionary like {'pred': 'no', 'score': 1} and nothing else.",
      ].join("\n"),
    },
  ],
  parse: readJudgement,
};

/** {'pred': 'yes', 'score': 4}, in any quotes and with any words around it; also with a score that is not whole. */
export function readJudgement(reply: string): Verdict | undefined {
  const pred = /["']pred["']\s*:\s*["']?(yes|no)\b/i.exec(reply)?.[1];
  const score = readScore(reply);
  return pred === undefined || score === undefined ? undefined : { pred: pred.toLowerCase(), score };
}

/** The number at 'score' in a dictionary, from 0 to 5; undefined where there is none. */
export function readScore(reply: string): number | undefined {
  const score = Number(/["']score["']\s*:\s*["']?(\d+(?:\.\d+)?)/i.exec(reply)?.[1] ?? Number.NaN);
  return score >= 0 && score <= 5 ? score : undefined;
}
