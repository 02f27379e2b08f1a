import { z } from "zod";
import type { Parsed, Turn } from "./kind.ts";

const heading =
  /^\s*(?:[-*•]\s+)?(?:#+\s*)?(?:\*\*|__)?\s*(?:\d+[.)]\s*)?(question|answer|q|a)\s*\d*\s*(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*(.*)$/i;
const separator = /^\s*(?:={3,}|\*\*={3,}\*\*)\s*$/;

/**
 * Blocks "Question:" and "Answer:", as a rule with "===" between them. Bold and numbered headings, other line ends and a
 * missing separator are read too; an answer may hold blank lines, and lines that begin with "Answer:".
 */
export function parseBlocks(reply: string): Parsed {
  const turns: Turn[] = [];
  let question: string[] | undefined;
  let answer: string[] | undefined;
  let isAfterSeparator = true;
  let isStray = false;
  let hasHeading = false;
  const close = (): boolean => {
    const [asked, said] = [textOf(question), textOf(answer)];
    question = answer = undefined;
    if (asked === "" || said === "") return false;
    turns.push({ question: asked, answer: said });
    return true;
  };
  for (const line of reply.split(/\r\n?|\n/)) {
    if (separator.test(line)) {
      isAfterSeparator = true;
      continue;
    }
    const [, name, rest = ""] = heading.exec(line) ?? [];
    const isQuestion = name !== undefined && /^q/i.test(name);
    const isAnswer = name !== undefined && !isQuestion && !(answer !== undefined && !isAfterSeparator);
    if (isQuestion || isAnswer) {
      // What stands behind the last answer and its separator is no turn; within the conversation it would be one lost.
      if (isStray) return { problem: "misaligned" };
      hasHeading = true;
      if (isQuestion) {
        if (question !== undefined && (answer === undefined || !close())) return { problem: "misaligned" };
        question = [rest];
      } else {
        if (question === undefined || answer !== undefined) return { problem: "misaligned" };
        answer = [rest];
      }
    } else if (line.trim() !== "") {
      if (isAfterSeparator && hasHeading) {
        if (answer === undefined) return { problem: "misaligned" };
        isStray = true;
      } else (answer ?? question)?.push(line);
    } else (answer ?? question)?.push(line);
    if (line.trim() !== "") isAfterSeparator = false;
  }
  if (!hasHeading) return { problem: "no-pairs" };
  const isClosed = isAfterSeparator || isStray;
  const isWhole = question === undefined || close();
  if (!isWhole && turns.length === 0) return { problem: "misaligned" };
  // A question at the end whose answer never came: cut, or forgotten.
  return isWhole ? { turns, isClosed } : { turns: [...turns, { question: "", answer: "" }], isClosed: false };
}

/** Of a bold heading half of the mark may have stayed with its text. */
function textOf(lines: readonly string[] = []): string {
  const text = lines.join("\n").trim();
  const isHalf = text.split("**").length % 2 === 0;
  return isHalf ? text.replace(/^\*\*\s*|\s*\*\*$/, "") : text;
}

const structured = z.object({
  turns: z.array(z.object({ question: z.string().default(""), answer: z.string() })),
});

/** What endpoints are asked to answer with where they take a schema. */
export const turnsSchema = {
  name: "turns",
  strict: true,
  schema: {
    type: "object",
    properties: {
      turns: {
        type: "array",
        items: {
          type: "object",
          properties: { question: { type: "string" }, answer: { type: "string" } },
          required: ["question", "answer"],
          additionalProperties: false,
        },
      },
    },
    required: ["turns"],
    additionalProperties: false,
  },
} as const;

/** JSON of the form that `turnsSchema` asks for; of one that was cut, the turns before the cut. */
export function parseStructured(reply: string): Parsed {
  const text = reply.trim().replace(/^```(?:json)?\s*|\s*```$/g, "");
  const end = text.lastIndexOf("}", text.length - 1);
  const attempts = [
    { text, isClosed: true },
    ...(end > 0 ? [{ text: `${text.slice(0, end + 1)}]}`, isClosed: true }] : []),
  ];
  for (const { text: json, isClosed } of attempts) {
    const { data } = structured.safeParse(parsedJson(json));
    if (data === undefined) continue;
    const turns = data.turns.map(({ question, answer }) => ({
      question: question.trim(),
      answer: answer.trim(),
    }));
    if (turns.length === 0) return { problem: "no-pairs" };
    return turns.some(({ answer }) => answer === "") ? { problem: "misaligned" } : { turns, isClosed };
  }
  return { problem: "no-pairs" };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The whole reply is one answer. */
export const parseText = (reply: string, question: string): Parsed => ({
  turns: [{ question, answer: reply.trim() }],
  isClosed: false,
});
