import { letters } from "../../prompting/index.ts";

interface Problem {
  readonly question: string;
  readonly unit: string | null;
  readonly choices: readonly string[] | null;
  readonly precision: number | null;
  readonly question_type: string;
  readonly answer_type: string;
}

const requiring = (what: string, result: string, examples: string): string =>
  `Hint: Please answer the question requiring ${what} and provide the ${result}, e.g., ${examples}, at the end.`;

function hint({ question_type, answer_type, precision }: Problem): string {
  if (question_type === "multi_choice")
    return "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.";
  if (answer_type === "integer") return requiring("an integer answer", "final value", "1, 2, 3");
  if (answer_type === "list")
    return requiring("a Python list as an answer", "final list", "[1, 2, 3], [1.2, 1.3, 1.4]");
  return precision === 1
    ? requiring("a floating-point number with one decimal place", "final value", "1.2, 1.3, 1.4")
    : requiring("a floating-point number with two decimal places", "final value", "1.23, 1.34, 1.45");
}

/** The query of MathVista's data/query.json, which published scores were asked with. */
export function buildQuery(problem: Problem): string {
  const { question, unit, choices } = problem;
  const options = (choices ?? []).map((choice, index) => `(${letters[index]}) ${choice}`);
  return [
    hint(problem),
    `Question: ${question}${unit ? ` (Unit: ${unit})` : ""}`,
    ...(options.length > 0 ? ["Choices:", ...options] : []),
  ]
    .join("\n")
    .trim();
}
