import { existsSync } from "node:fs";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues, readJsonLines } from "../../files/index.ts";

const words = z.object({ question: z.string(), reference: z.string() });

const schema = z.object({
  id: z.string(),
  reviewer: z.string().min(1),
  decision: z.enum(["keep", "edit", "drop"]),
  reason: z.string().optional(),
  /** What the reviewer saw, and for an edit what it became. */
  before: words,
  after: words.optional(),
  /** Whether it settles what reviewers disagree about. */
  settles: z.boolean().optional(),
  at: z.string(),
});

export type Words = z.infer<typeof words>;
/** What a reviewer decided about a question, a line of the decisions' file. */
export type Decision = z.infer<typeof schema>;

/** @throws LlavaError "data" for what is none, with what is wrong */
export function parseDecision(value: unknown, where: string): Decision {
  const { success, data, error } = schema.safeParse(value);
  if (success && (data.decision !== "edit" || data.after !== undefined)) return data;
  throw new LlavaError("data", `${where}: ${error ? describeIssues(error) : 'an edit needs "after"'}`, {
    hint: 'A decision is {"id", "reviewer", "decision": "keep", "edit" or "drop", "before", "after", "at"}.',
  });
}

/** In the order in which they were made; none for a file that there is not. */
export async function readDecisions(path: string): Promise<Decision[]> {
  if (!existsSync(path)) return [];
  const decisions: Decision[] = [];
  for await (const { value, line } of readJsonLines(path))
    decisions.push(parseDecision(value, `${path}:${line}`));
  return decisions;
}

export type Verdict =
  | { readonly state: "waiting" | "disputed" | "dropped"; readonly reviewers: number }
  | { readonly state: "kept"; readonly reviewers: number; readonly words: Words };

/**
 * What decisions about one question come to. The last of a reviewer counts; all have to agree, or a settling one decides. A decision
 * about other words than there are now does not count.
 */
export function verdictOf(decisions: readonly Decision[], now: Words, reviewersNeeded = 1): Verdict {
  const current = decisions.filter(({ before }) => same(before, now));
  const settling = current.findLast(({ settles }) => settles);
  const latest = latestByReviewer(current.filter(({ settles }) => !settles));
  const reviewers = latest.size;
  if (settling !== undefined) return { ...outcome(settling), reviewers };
  if (reviewers < reviewersNeeded || reviewers === 0) return { state: "waiting", reviewers };
  const [first, ...others] = [...latest.values()];
  const isAgreed = others.every(
    (other) => other.decision === first!.decision && same(wordsAfter(other), wordsAfter(first!)),
  );
  return isAgreed ? { ...outcome(first!), reviewers } : { state: "disputed", reviewers };
}

export const latestByReviewer = (decisions: readonly Decision[]): ReadonlyMap<string, Decision> =>
  new Map(decisions.map((decision) => [decision.reviewer, decision] as const));

const wordsAfter = ({ before, after }: Decision): Words => after ?? before;
const same = (a: Words, b: Words): boolean => a.question === b.question && a.reference === b.reference;

const outcome = (decision: Decision) =>
  decision.decision === "drop"
    ? ({ state: "dropped" } as const)
    : ({ state: "kept", words: wordsAfter(decision) } as const);
