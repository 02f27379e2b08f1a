import type { Scene } from "../captions/scene.ts";

export const questionTypes = [
  "action",
  "object",
  "count",
  "color",
  "place",
  "sport",
  "who",
  "yes/no object",
  "yes/no action",
  "yes/no color",
] as const;

export type QuestionType = (typeof questionTypes)[number];

/** A question about one photo with both forms of its answer. */
export interface Question {
  readonly type: QuestionType;
  readonly text: string;
  /** One to three words in lower case. */
  readonly answer: string;
  /** The answer where no short one is asked for. */
  readonly sentence: string;
}

/** How many captions must agree before a question is asked. */
export interface Agreement {
  readonly captions: number;
}

export type Asker = (scene: Scene, agreement: Agreement) => Question[];

/** The value that at least `least` of the votes name, and more than twice as many as name any other. */
export function agreed<T>(votes: readonly T[], least: number): T | undefined {
  const counts = new Map<T, number>();
  for (const vote of votes) counts.set(vote, (counts.get(vote) ?? 0) + 1);
  const [first, second] = [...counts].sort((one, other) => other[1] - one[1]);
  return first !== undefined && first[1] >= least && first[1] > 2 * (second?.[1] ?? 0) ? first[0] : undefined;
}
