import { z } from "zod";
import type { Message } from "../../protocol/index.ts";
import { sceneText } from "../instruct/item.ts";
import type { AskedQuestion } from "./asked.ts";

/** What a judge makes of an answer. */
export interface Judgement {
  /** From 1, the worst, to 5. */
  readonly score: number;
  /** Words of the answer that the evidence does not bear out. */
  readonly unsupported: readonly string[];
  readonly reason?: string;
}

/** Which of two answers a judge likes better. */
export type Preference = "first" | "second" | "tie";

const blind = (isVideo: boolean | undefined): string =>
  `You judge answers to questions about a ${isVideo ? "video" : "photo"} that you cannot see. What people who saw it wrote stands under "Evidence", perhaps followed by things in it, one a line, as \`name: [left, top, right, bottom]\`. Take the evidence for true. What an answer claims and the evidence neither says nor implies is unsupported, however likely it sounds. Length and style count for nothing.`;

const scale = `Give a score: 5 right, relevant and complete; 4 right, with little left out; 3 mostly right, or right and vague; 2 something important wrong or invented; 1 wrong, beside the question, or mostly invented.

Reply with JSON alone: {"score": 1 to 5, "unsupported": ["words of the answer", …], "reason": "one sentence"}`;

const comparison = `Say which answer is more accurate and helpful.

Reply with JSON alone: {"better": "A", "B" or "tie", "reason": "one sentence"}`;

/** Asks for a score of one answer, which therefore has no place among others to be liked for. */
export const scorePrompt = (asked: AskedQuestion, answer: string): Message[] => [
  { role: "system", content: `${blind(asked.item.isVideo)}\n\n${scale}` },
  { role: "user", content: `${context(asked)}\n\nAnswer:\n${answer}` },
];

/** Asks for the better one of two answers. */
export const comparePrompt = (asked: AskedQuestion, first: string, second: string): Message[] => [
  { role: "system", content: `${blind(asked.item.isVideo)}\n\n${comparison}` },
  { role: "user", content: `${context(asked)}\n\nAnswer A:\n${first}\n\nAnswer B:\n${second}` },
];

function context({ item, question, reference }: AskedQuestion): string {
  const known = reference === undefined ? "" : `\n\nA good answer:\n${reference}`;
  return `Evidence:\n${sceneText(item, true)}\n\nQuestion:\n${question}${known}`;
}

const scored = z.object({
  score: z.coerce.number().min(1).max(5),
  unsupported: z.array(z.string()).default([]),
  reason: z.string().optional(),
});
const compared = z.object({ better: z.enum(["A", "B", "tie"]) });

/** A judge's reply as JSON, with whatever around it, or lines of "Explanation: …" and "Score: 4" (LLaVA-Hound's). */
export function readJudgement(reply: string): Judgement | undefined {
  const found = scored.safeParse(jsonIn(reply));
  if (found.success) {
    const { score, unsupported, reason } = found.data;
    return { score, unsupported, ...(reason !== undefined && { reason }) };
  }
  const score = Number(/\bscore\W{1,4}([1-5](?:\.\d+)?)(?!\d)/i.exec(reply)?.[1]);
  if (!(score >= 1 && score <= 5)) return undefined;
  const reason = /explanation\s*:\s*(.+)/i.exec(reply)?.[1];
  return { score, unsupported: [], ...(reason !== undefined && { reason }) };
}

export function readPreference(reply: string): Preference | undefined {
  const { data } = compared.safeParse(jsonIn(reply));
  const said = data?.better ?? /\bbetter\W{1,4}(A|B|tie)\b/i.exec(reply)?.[1];
  return said === undefined ? undefined : said === "A" ? "first" : said === "B" ? "second" : "tie";
}

function jsonIn(reply: string): unknown {
  try {
    return JSON.parse(reply.slice(reply.indexOf("{"), reply.lastIndexOf("}") + 1));
  } catch {
    return undefined;
  }
}
