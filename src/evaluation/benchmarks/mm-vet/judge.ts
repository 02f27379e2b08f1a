import type { JudgeProtocol, Verdict } from "../../benchmark.ts";
import type { MmVetItem } from "./item.ts";
import { officialTask } from "./official-prompt.ts";

/** Graded examples in a table whose last cell the judge fills in, as MM-Vet's evaluator asks; words and examples of our own. */
const task = `Grade how correct a model's prediction is, given the ground truth. Where the ground truth joins several elements with <AND>, the prediction is fully correct only if it has all of them; where it joins them with <OR>, any one of them is enough. The grade is one of 0.0 (entirely wrong), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9 and 1.0 (entirely right). Reply with nothing but the grade that belongs in the last cell.

Question | Ground truth | Prediction | Grade
--- | --- | --- | ---
Which values solve the equation? | 2 <AND> -7 | x = 4 | 0.0
Which values solve the equation? | 2 <AND> -7 | x = 2 | 0.5
Which values solve the equation? | 2 <AND> -7 | x = 7 or x = -7 | 0.5
Which values solve the equation? | 2 <AND> -7 | The solutions are x = -7 and x = 2. | 1.0
How many chairs are there? | 3 <OR> three | There are three chairs at the table. | 1.0
Why is this picture funny? | The cat sits at a laptop with glasses on its nose as if it worked in an office, and the caption says that it is waiting for the weekend. | A cat is looking at a laptop. | 0.3
Why is this picture funny? | The cat sits at a laptop with glasses on its nose as if it worked in an office, and the caption says that it is waiting for the weekend. | The cat is shown like an office worker, wearing glasses in front of a laptop, and the text jokes that it longs for the weekend like tired employees do. | 1.0
`;

const spaced = (truth: string): string => truth.replace(/<(AND|OR)>/g, " <$1> ");

export const judge: JudgeProtocol<MmVetItem> = {
  model: "gpt-4-0613",
  sampling: { temperature: 0, maxTokens: 8 },
  official: {
    licence: "mm-vet_evaluator.py, Apache-2.0, Copyright the MM-Vet authors",
    sampling: { temperature: 0, maxTokens: 3 },
    prompt: ({ question, truth }, answer) => [
      { role: "user", content: `${officialTask}\n${question} | ${spaced(truth)} | ${answer} | ` },
    ],
  },
  prompt: ({ question, truth }, answer) => [
    { role: "user", content: `${task}${question} | ${spaced(truth)} | ${answer} |` },
  ],
  parse: readGrade,
};

/** The number that a reply begins with, if it is between 0 and 1. */
export function readGrade(reply: string): Verdict | undefined {
  const [, grade] = /^\s*([01](?:\.\d+)?|\.\d+)(?=$|[\s|,]|\.(?!\d))/.exec(reply) ?? [];
  return grade === undefined || Number(grade) > 1 ? undefined : { score: Number(grade) };
}
