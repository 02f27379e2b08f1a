import { LlavaError } from "../errors.ts";

/** One sample in LLaVA's own form: turns alternate, `<image>` in the text marks where an image stands. */
export interface LlavaRow {
  readonly id: string;
  /** Path relative to the folder of images, or absolute; several in the order of their placeholders. */
  readonly image?: string | readonly string[];
  /** What the system message says, in place of the template's own. */
  readonly system?: string;
  readonly conversations: readonly RowTurn[];
  /** Where it was read: "mix.jsonl:17" or "mix.json: row 17". */
  readonly origin?: string;
  /** The encoded images where they came with the row, in the order of `image`. */
  readonly imageBytes?: readonly Uint8Array[];
  /** Names of fields that hold something and are not read, but for those known to describe the row only. */
  readonly unusedFields?: readonly string[];
}

export interface RowTurn {
  readonly from: "human" | "gpt";
  readonly value: string;
}

export const rowHint =
  'A row is {"id", "image", "conversations": [{"from": "human" | "gpt", "value"}, …]}, or has "messages" of "role" and "content".';

/** What may be wrong with a row, by name. */
export const rowProblems = {
  form: "not a row",
  turns: "turns out of order",
  placeholders: "placeholders and images do not match",
  missing: "image missing",
  broken: "image cannot be decoded",
  marks: "answer holds a turn mark",
  untrained: "nothing trained",
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
  { id, origin }: LlavaRow,
  problem: RowProblem,
  message: string,
  hint: string,
): RowError {
  const place = origin === undefined || origin === id ? `row ${id}` : `${origin} (id ${id})`;
  return new RowError(problem, `${place}: ${message}`, { hint });
}

/** The names of a row's images, in order. */
export const imagesOfRow = ({ image }: LlavaRow): readonly string[] =>
  image === undefined ? [] : typeof image === "string" ? [image] : image;

/** Its words and, for each image, 128 more: the length by which the original code puts rows of a kind together. */
export const lengthOfRow = (row: LlavaRow): number =>
  row.conversations.reduce((sum, { value }) => sum + (value.match(/\S+/g)?.length ?? 0), 0) +
  128 * imagesOfRow(row).length;
