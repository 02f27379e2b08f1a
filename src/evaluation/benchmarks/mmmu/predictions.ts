import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Answer } from "../../benchmark.ts";
import { check, findFile, readJsonDocument } from "../../files/index.ts";

const totalSchema = z.record(z.string().startsWith("validation_"), z.string());
const subjectSchema = z.array(
  z.looseObject({ id: z.string().startsWith("validation_"), response: z.string() }),
);

/** `{ id: answer }` of main_eval_only.py, or main_parse_and_eval.py's folder with an output.json for each subject. */
export async function readMmmuPredictions(path: string): Promise<AsyncIterable<Answer> | undefined> {
  if ((await stat(path)).isDirectory()) return readFolder(path);
  if (!path.endsWith(".json")) return undefined;
  const content = await readJsonDocument(path);
  const answers = answersIn(content);
  return answers && toAsync(answers);
}

function answersIn(content: unknown): Answer[] | undefined {
  const total = totalSchema.safeParse(content);
  if (total.success) return Object.entries(total.data).map(([id, text]) => ({ id, text }));
  const subject = subjectSchema.safeParse(content);
  return subject.success ? subject.data.map(({ id, response }) => ({ id, text: response })) : undefined;
}

async function* readFolder(folder: string): AsyncGenerator<Answer> {
  for (const subject of (await readdir(folder)).sort()) {
    const path = findFile(folder, [join(subject, "output.json")]);
    if (path === undefined) continue;
    for (const { id, response } of check(subjectSchema, await readJsonDocument(path), path))
      yield { id, text: response };
  }
}

async function* toAsync(answers: readonly Answer[]): AsyncGenerator<Answer> {
  yield* answers;
}
