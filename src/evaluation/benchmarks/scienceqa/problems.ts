import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { check, locateFile, readDocument, within } from "../../dataset-files/index.ts";

const problemSchema = z.object({
  question: z.string(),
  choices: z.array(z.string()).min(2),
  answer: z.int().nonnegative(),
  hint: z.string(),
  image: z.string().nullable(),
  grade: z.string(),
  subject: z.string(),
  topic: z.string().default(""),
  lecture: z.string().default(""),
  solution: z.string().default(""),
});

/** A problem of problems.json. */
export type Problem = z.output<typeof problemSchema> & { readonly id: string };

export const inside = within(["", "data/scienceqa/", "scienceqa/"]);

/** The problems of a split of pid_splits.json, in its order. @throws LlavaError "data" naming what the files lack */
export const readProblemSplit = (data: string, split: string): Promise<Problem[]> =>
  readProblems(locateFile(data, inside("problems.json")), locateFile(data, inside("pid_splits.json")), split);

/** The same, from these files. */
export async function readProblems(
  problemsPath: string,
  splitsPath: string,
  split: string,
): Promise<Problem[]> {
  const problems = await readDocument(problemsPath, z.record(z.string(), z.unknown()));
  const splits = await readDocument(splitsPath, z.record(z.string(), z.array(z.string())));
  const ids = splits[split];
  if (ids === undefined)
    throw new LlavaError(
      "data",
      `${splitsPath}: has no split "${split}"; there are ${Object.keys(splits).join(", ")}`,
    );
  return ids.map((id) => {
    if (problems[id] === undefined)
      throw new LlavaError("data", `${problemsPath}: lacks problem "${id}" of the split ${split}`, {
        hint: "Fetch the whole file.",
      });
    return { ...check(problemSchema, problems[id], `${problemsPath}: "${id}"`), id };
  });
}

const subjects: Readonly<Record<string, string>> = {
  "natural science": "NAT",
  "social science": "SOC",
  "language science": "LAN",
};

/** What ScienceQA's tables are split by: subject, modality of the context (both text and image may be there), grade. */
export function problemLabels({
  subject,
  hint,
  image,
  grade,
}: Pick<Problem, "subject" | "hint" | "image" | "grade">): Record<string, string> {
  const text = hint !== "" ? { text: "TXT" } : {};
  const picture = image !== null ? { image: "IMG" } : {};
  const none = hint === "" && image === null ? { context: "NO" } : {};
  const level = Number(/\d+/.exec(grade)?.[0]) <= 6 ? "G1-6" : "G7-12";
  return { subject: subjects[subject] ?? subject, ...text, ...picture, ...none, grade: level };
}
