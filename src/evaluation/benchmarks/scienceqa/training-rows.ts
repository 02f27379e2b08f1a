import { join } from "node:path";
import { locateFile, within } from "../../dataset-files/index.ts";
import { type Problem, readProblems } from "./problems.ts";
import { formatProblem } from "./prompt-forms.ts";

/** A problem as a training sample in LLaVA's form. */
export interface ProblemRow {
  readonly id: string;
  /** Relative to the folder of the split's images. */
  readonly image?: string;
  readonly conversations: readonly [
    { readonly from: "human"; readonly value: string },
    { readonly from: "gpt"; readonly value: string },
  ];
}

/** In a form of `formatProblem`; as in LLaVA's conversion "Question: " is dropped where it begins, and the image comes last. */
export function problemRow(problem: Problem, form: string): ProblemRow {
  const { question, answer } = formatProblem(problem, form);
  const text = question.replace(/^Question: /, "");
  const { id, image } = problem;
  return {
    id,
    ...(image !== null && { image: join(id, image) }),
    conversations: [
      { from: "human", value: image === null ? text : `${text}\n<image>` },
      { from: "gpt", value: answer },
    ],
  };
}

/**
 * The rows of a split, from the dataset's own files.
 * @throws LlavaError "data" naming what they lack, "usage" for a form that is none
 */
export async function scienceQaRows(
  data: string,
  { split, form }: { split: string; form: string },
): Promise<ProblemRow[]> {
  const inside = within(["", "data/scienceqa/", "scienceqa/"]);
  const problems = await readProblems(
    locateFile(data, inside("problems.json")),
    locateFile(data, inside("pid_splits.json")),
    split,
  );
  return problems.map((problem) => problemRow(problem, form));
}
