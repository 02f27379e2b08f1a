import { editDistance } from "../../../spelling.ts";
import { letters } from "../../prompting/index.ts";
import { pythonFloat, pythonFloatText, pythonInteger, roundHalfEven } from "../../python/index.ts";
import type { MathVistaItem } from "./problem.ts";

type Form = Pick<MathVistaItem, "choices" | "answerType" | "precision">;

/**
 * The final answer in a response, where a rule can tell: nothing, a choice, a letter alone, a number alone, or what
 * stands in `The answer is "…".` undefined where a judge must read it. After MathVista's evaluation/extract_answer.py.
 */
export function extractByRule(response: string, { choices, answerType }: Form): string | undefined {
  if (response === "" || choices.includes(response)) return response;
  if (answerType === "integer") {
    const integer = pythonInteger(response);
    if (integer !== undefined) return String(integer);
  }
  if (answerType === "float") {
    const float = pythonFloat(response);
    if (float !== undefined) return pythonFloatText(float);
  }
  const letter = /^\s*\(?([A-Z])[).]?\s*$/.exec(response)?.[1];
  if (letter !== undefined && letters.indexOf(letter) < choices.length) return letter;
  return /The answer is "(.*)"\./.exec(response)?.[1];
}

/**
 * An extracted answer in the form of the right ones: the choice that its letter names or that is nearest to it, an
 * integer cut off at the point, a float rounded. undefined for what is no number. After evaluation/calculate_score.py.
 */
export function normalizeExtraction(extraction: string, form: Form): string | undefined {
  if (form.choices.length > 0) return choose(extraction.trim(), form.choices);
  if (form.answerType === "list") return extraction;
  const number = pythonFloat(extraction);
  if (number === undefined) return undefined;
  if (form.answerType === "float")
    return pythonFloatText(Number.isFinite(number) ? roundHalfEven(number, form.precision) : number);
  return Number.isFinite(number) ? String(BigInt(Math.trunc(number))) : undefined;
}

function choose(extraction: string, choices: readonly string[]): string {
  const letter = /\(([a-zA-Z])\)/.exec(extraction)?.[1]?.toUpperCase() ?? extraction;
  const named = letters.slice(0, choices.length).indexOf(letter);
  if (named >= 0) return choices[named]!;
  const distances = choices.map((choice) => editDistance(letter, choice));
  return choices[distances.indexOf(Math.min(...distances))]!;
}
