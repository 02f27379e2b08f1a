import { z } from "zod";
import { LlavaError } from "../errors.ts";
import { describeIssues } from "../json.ts";

const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).transform(String).optional(),
  image: z.union([z.string(), z.array(z.string())]).nullish(),
  conversations: z
    .array(z.object({ from: z.enum(["human", "gpt"]), value: z.string() }), {
      error: "is needed, a list of turns",
    })
    .min(1, "has no turns"),
  video: z.undefined({ error: "rows about videos cannot be used" }).optional(),
});

/** One sample in LLaVA's own form: turns alternate, `<image>` in the text marks where an image stands. */
export interface LlavaRow {
  readonly id: string;
  /** Path relative to the folder of images, or absolute; several in the order of their placeholders. */
  readonly image?: string | readonly string[];
  readonly conversations: readonly { readonly from: "human" | "gpt"; readonly value: string }[];
  /** Where it was read: "mix.jsonl:17" or "mix.json: row 17". */
  readonly origin?: string;
  /** The encoded images where they came with the row, in the order of `image`. */
  readonly imageBytes?: readonly Uint8Array[];
}

export const rowHint = 'A row is {"id", "image", "conversations": [{"from": "human" | "gpt", "value"}, …]}.';

/**
 * Checks one value of a file. A row without an id is named by its origin.
 * @throws RowError "form" beginning with `origin`
 */
export function parseRow(value: unknown, origin: string): LlavaRow {
  const parsed = rowSchema.safeParse(value);
  if (parsed.success) {
    const { id = origin, image, conversations } = parsed.data;
    return { id, ...(image === null || image === undefined ? {} : { image }), conversations, origin };
  }
  const id = (value as { id?: unknown } | null)?.id;
  const named = id === undefined ? "" : ` (id ${String(id)})`;
  throw new RowError("form", `${origin}${named}: ${describeIssues(parsed.error)}`, { hint: rowHint });
}

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
