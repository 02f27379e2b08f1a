import { z } from "zod";
import type { BenchmarkItem } from "../../benchmark.ts";

/** A problem as data/testmini.json has it, and every file of predictions again. */
export const problemSchema = z.object({
  question: z.string(),
  image: z.string(),
  choices: z.array(z.string()).nullable(),
  unit: z.string().nullable(),
  precision: z.number().nullable(),
  answer: z.string().optional(),
  question_type: z.enum(["multi_choice", "free_form"]),
  answer_type: z.enum(["text", "integer", "float", "list"]),
  metadata: z.object({
    language: z.string(),
    source: z.string(),
    category: z.string(),
    task: z.string(),
    context: z.string(),
    grade: z.string(),
    skills: z.array(z.string()),
  }),
});

type AnswerType = z.infer<typeof problemSchema>["answer_type"];

export interface MathVistaItem extends BenchmarkItem {
  /** The question with its unit, its choices and a hint at the form of the answer. */
  readonly query: string;
  readonly question: string;
  readonly image: string;
  /** Empty for questions without choices. */
  readonly choices: readonly string[];
  readonly answerType: AnswerType;
  /** Decimal places of answers of the type "float". */
  readonly precision: number;
  readonly answer: string | undefined;
  readonly compat: boolean;
}
