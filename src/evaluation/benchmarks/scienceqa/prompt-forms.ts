import { LlavaError } from "../../../errors.ts";
import { letteredOptions, letters } from "../../prompting/index.ts";
import type { Problem } from "./problems.ts";

type Told = Pick<Problem, "question" | "choices" | "answer" | "hint" | "lecture" | "solution">;

/** The question as LLaVA-1.5 asks it: the context if there is one, the question, lettered options. */
export function plainQuestion({
  question,
  choices,
  hint,
}: Pick<Told, "question" | "choices" | "hint">): string {
  const context = hint.trim() === "" ? "" : `Context: ${hint.trim()}\n`;
  return singleSpaced(`${context}${question}\n${letteredOptions(choices)}`);
}

/**
 * Question and answer in a form of the ScienceQA paper (section 4.1): "QCM-LEA" shows question, context and options
 * (multiple), and expects lecture, explanation and answer; "QCM-ALE" and "CQM-A" likewise.
 * @throws LlavaError "usage" for a form with other letters, or without Q, M and the answer A
 */
export function formatProblem(problem: Told, form: string): { question: string; answer: string } {
  const match = /^(?=[A-Z]*Q)(?=[A-Z]*M)([QCMLE]+)-(?=[LE]*A)([LEA]+)$/.exec(form);
  if (!match)
    throw new LlavaError("usage", `"${form}" is no form of ScienceQA's questions`, {
      hint: 'Write it like "QCM-LEA": Q question, C context, M options, L lecture, E explanation, A answer.',
    });
  const [, shown = "", expected = ""] = match;
  return {
    question: singleSpaced(questionLines(problem, shown).join("\n")),
    answer: answerText(problem, expected),
  };
}

function questionLines(problem: Told, shown: string): string[] {
  const { question, choices, hint } = problem;
  const options = choices.map((choice, index) => `(${letters[index]}) ${choice}`).join(" ");
  const lines: Readonly<Record<string, string>> = {
    Q: `Question: ${question}`,
    C: `Context: ${hint.trim() || "N/A"}`,
    M: `Options: ${options}`,
  };
  // Lecture and explanation side by side share a line.
  return [...shown.matchAll(/[LE]+|[QCM]/g)].map(
    ([part]) => lines[part] ?? `BECAUSE: ${reasons(problem, part)}`,
  );
}

const reasons = ({ lecture, solution }: Told, order: string): string =>
  [...order].map((letter) => (letter === "L" ? lecture : solution)).join(" ");

function answerText(problem: Told, expected: string): string {
  const answer = `The answer is ${letters[problem.answer]}.`;
  const [before = "", after = ""] = expected.split("A");
  const reason = reasons(problem, after).trim();
  return singleSpaced(`${reasons(problem, before)} ${answer}${reason === "" ? "" : ` BECAUSE: ${reason}`}`);
}

const singleSpaced = (text: string): string => text.replaceAll("  ", " ").trim();
