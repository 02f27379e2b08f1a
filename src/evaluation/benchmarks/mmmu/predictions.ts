import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Answer } from "../../benchmark.ts";
import { check, findFile, readJsonDocument } from "../../files/index.ts";
import { chosenLetter } from "./choice.ts";

const totalSchema = z.record(z.string().startsWith("validation_"), z.string());
const subjectSchema = z.array(
  z.looseObject({
    id: z.string().startsWith("validation_"),
    response: z.string(),
    index2ans: z.record(z.string(), z.string()).optional(),
  }),
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
  return subject.success ? subject.data.map(toAnswer) : undefined;
}

/** Answers by an option's text become its letter here, where the options are known. */
function toAnswer({ id, response, index2ans = {} }: z.output<typeof subjectSchema>[number]): Answer {
  const letters = Object.keys(index2ans);
  const lettersAlone = Object.fromEntries(letters.map((letter) => [letter, `(${letter})`]));
  if (letters.length === 0 || chosenLetter(response, lettersAlone, false) !== undefined)
    return { id, text: response };
  return { id, text: chosenLetter(response, index2ans, false) ?? response };
}

async function* readFolder(folder: string): AsyncGenerator<Answer> {
  for (const subject of (await readdir(folder)).sort()) {
    const path = findFile(folder, [join(subject, "output.json")]);
    if (path === undefined) continue;
    yield* check(subjectSchema, await readJsonDocument(path), path).map(toAnswer);
  }
}

async function* toAsync(answers: readonly Answer[]): AsyncGenerator<Answer> {
  yield* answers;
}
