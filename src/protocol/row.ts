import { LlavaError } from "../errors.ts";

/** One sample to learn from, in LLaVA's own form: turns alternate, `<image>` in the text marks where an image stands. */
export interface LlavaRow {
  readonly id: string;
  /** Images and videos, in the order of their marks. */
  readonly images: readonly RowImage[];
  /** What the system message says, in place of the template's own. */
  readonly system?: string;
  readonly conversations: readonly RowTurn[];
  /** The worse of two last answers, where the row is a pair: its turns end in the better one, which alone is trained of them. */
  readonly rejected?: string;
  /** Where it was read: "mix.jsonl:17" or "mix.json: row 17". */
  readonly origin?: string;
  /** Names of fields that hold something and are not read, but for those known to describe the row only. */
  readonly unusedFields?: readonly string[];
}

export interface RowImage {
  /** Path relative to the folder of images, or absolute; a name alone where the image came with its row. */
  readonly name: string;
  /** The encoded image where it came with its row. */
  readonly bytes?: Uint8Array;
  /** Whether it is a video: its file, or a folder of its frames. */
  readonly isVideo?: true;
}

/** What an image or a video of a row is known by: the same file may be an image here and a video there. */
export const mediumKey = ({ name, isVideo }: Pick<RowImage, "name" | "isVideo">): string =>
  isVideo ? `video ${name}` : name;

export interface RowTurn {
  readonly from: "human" | "gpt";
  readonly value: string;
}

/** What may be wrong with a row, by name. */
export const rowProblems = {
  form: "not a row",
  turns: "turns out of order",
  placeholders: "placeholders and images or videos do not match",
  missing: "image or video missing",
  broken: "image or video cannot be decoded",
  marks: "answer holds a turn mark",
  untrained: "nothing trained",
  unpaired: "no pair of answers",
  equal: "pair of equal answers",
  long: "too long",
} as const;

export type RowProblem = keyof typeof rowProblems;

/** Why a row cannot be used. */
export class RowError extends LlavaError {
  readonly problem: RowProblem;

  constructor(problem: RowProblem, message: string, options: { hint: string; cause?: unknown }) {
    super("data", message, options);
    this.problem = problem;
  }
}

/** An error about a row, which is named by its place and its id. */
export function rowError(
  { id, origin }: Pick<LlavaRow, "id" | "origin">,
  problem: RowProblem,
  message: string,
  hint: string,
): RowError {
  const place = origin === undefined || origin === id ? `row ${id}` : `${origin} (id ${id})`;
  return new RowError(problem, `${place}: ${message}`, { hint });
}

/** A pair as it ends in its better answer and as it ends in the worse one; of a row that is none, the row itself. */
export function sidesOf(row: LlavaRow): readonly LlavaRow[] {
  const last = row.conversations.at(-1);
  if (row.rejected === undefined || last === undefined) return [row];
  const conversations = [...row.conversations.slice(0, -1), { ...last, value: row.rejected }];
  return [row, { ...row, conversations, rejected: last.value }];
}

/** Why a row that should be a pair cannot be used. */
export const notAPair = (row: LlavaRow): RowError =>
  rowError(
    row,
    "unpaired",
    "it has one answer, not a chosen and a rejected one",
    "Preferences are learnt from pairs: prompt, chosen, rejected and image.",
  );
