import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues } from "../../files/index.ts";
import { readJsonDocument } from "../dataset-files/index.ts";

/** A multimodal model with its scores by benchmark; the language benchmark stands among them. */
export interface StudyModel {
  readonly name: string;
  /** Billions of parameters of the language model. */
  readonly params?: number | undefined;
  readonly scores: Readonly<Record<string, number>>;
  /** Where each score is printed. */
  readonly sources: Readonly<Record<string, string>>;
}

const modelSchema = z
  .object({
    name: z.string().min(1),
    params: z.number().positive().optional(),
    sources: z.record(z.string(), z.string()).optional(),
  })
  .catchall(z.number().nullable());
const fileSchema = z.array(modelSchema).min(1);

/**
 * Models from a JSON list such as [{ "name": "A", "params": 7, "mmlu": 45.7, "mmmu": 35.8 }]; every further field is a
 * benchmark, null where its score is not known. @throws LlavaError "data"
 */
export async function readStudyModels(path: string): Promise<StudyModel[]> {
  const { success, data, error } = fileSchema.safeParse(await readJsonDocument(path));
  if (!success)
    throw new LlavaError("data", `${path}: ${describeIssues(error)}`, {
      hint: 'Give a list of models: [{ "name": "A", "params": 7, "mmlu": 45.7, "mmmu": 35.8 }].',
    });
  return data.map(({ name, params, sources = {}, ...rest }) => {
    const scores = Object.entries(rest).filter((entry): entry is [string, number] => entry[1] !== null);
    return { name, params, sources, scores: Object.fromEntries(scores) };
  });
}
