import type { JudgeProtocol } from "../../benchmark.ts";
import { extractByRule } from "./extraction.ts";
import type { MathVistaItem } from "./problem.ts";

/** Reads the final answer out of a response; the task and its examples are in words of our own. */
const task = `Take the final answer out of a response to a question. The hint before the question says what form it has. Reply with nothing but the answer itself: a letter for a question with choices, a number, or a list. Reply with a hyphen if the response gives no answer.

Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.
Question: How many of the bars are taller than 5?
Response: Three bars reach above the line at 5, so there are 3.
Answer: 3

Hint: Please answer the question requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, at the end.
Question: What part of the circle is shaded?
Response: Two of the five slices are shaded, which is 2/5 or 0.4 of the circle.
Answer: 0.4

Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.
Question: Which line is the longest?
Choices:
(A) AB
(B) BC
(C) CA
Response: The side opposite to the right angle is CA, hence it is the longest one.
Answer: C

Hint: Please answer the question requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end.
Question: Between which two years did the value fall?
Response: It falls only once, from 2001 to 2002.
Answer: [2001, 2002]

`;

export const judge: JudgeProtocol<MathVistaItem> = {
  model: "gpt-4-0613",
  official: {
    withheld:
      "the benchmark's repository is licensed CC BY-SA 4.0, which this project's licence cannot take up",
  },
  sampling: { temperature: 0, maxTokens: 64 },
  // Where only the original's true_false is stored, nothing says what was extracted.
  failed: (verdict, { compat }) =>
    verdict["extraction"] === undefined && !(compat && verdict["trueFalse"] !== undefined),
  needed: (item, answer) => extractByRule(answer, item) === undefined,
  prompt: ({ query }, answer) => [{ role: "user", content: `${task}${query}\nResponse: ${answer}\nAnswer:` }],
  parse(reply) {
    const extraction = reply.trim().replace(/^(?:extracted )?answer:\s*/i, "");
    if (extraction === "") return undefined;
    return { extraction: extraction === "-" ? "" : extraction };
  },
};
