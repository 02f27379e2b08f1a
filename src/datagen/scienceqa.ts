import { join } from "node:path";
import { formatProblem, type Problem, readProblemSplit } from "../evaluation/index.ts";
import type { ConversationRow } from "./rows.ts";

/** In a form of `formatProblem`; as in LLaVA's conversion "Question: " is dropped where it begins, and the image comes last. */
function problemRow(problem: Problem, form: string): ConversationRow {
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
): Promise<ConversationRow[]> {
  const problems = await readProblemSplit(data, split);
  return problems.map((problem) => problemRow(problem, form));
}
