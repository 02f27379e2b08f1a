import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { firstLineFits } from "../../../files/index.ts";
import type { Answer, Rows, Verdict } from "../../benchmark.ts";
import { findFile, readCheckedLines, readDocument, readJsonDocument } from "../../dataset-files/index.ts";
import { PythonRandom } from "../../python/index.ts";
import { chosenLetter } from "./choice.ts";

const id = z.string().startsWith("validation_");
const totalSchema = z.record(id, z.string());
const rowSchema = z.looseObject({
  id,
  response: z.string(),
  question_type: z.string().optional(),
  all_choices: z.array(z.string()).optional(),
  index2ans: z.record(z.string(), z.string()).optional(),
  parsed_pred: z.unknown().optional(),
});
const subjectSchema = z.array(rowSchema).min(1);
type Row = z.output<typeof rowSchema>;

/** A folder that main_parse_and_eval.py reads or writes has one of them for each subject. */
const outputs = ["output.json", "parsed_output.json"];

/**
 * `{ id: answer }` of main_eval_only.py, or main_parse_and_eval.py's rows: a folder with an output.json for each subject,
 * one such file, or lines of them. Rows that carry their options bring readings by them: `own`, `official` and `guessed`.
 */
export async function readMmmuPredictions(path: string): Promise<Rows<Answer> | undefined> {
  if ((await stat(path)).isDirectory()) return readFolder(path);
  const reader = new RowReader();
  if (await firstLineFits(path, rowSchema)) return readLines(path, reader);
  if (!path.endsWith(".json")) return undefined;
  const content = await readJsonDocument(path);
  const total = totalSchema.safeParse(content);
  if (total.success) return Object.entries(total.data).map(([question, text]) => ({ id: question, text }));
  const subject = subjectSchema.safeParse(content);
  return subject.success ? subject.data.map((row) => reader.read(row)) : undefined;
}

/** In the order of the subjects' names, which is that of the original, so that its guesses are the same. */
async function* readFolder(folder: string): AsyncGenerator<Answer> {
  const reader = new RowReader();
  let found = 0;
  for (const subject of ["", ...(await readdir(folder)).sort()]) {
    const path = findFile(
      folder,
      outputs.map((name) => join(subject, name)),
    );
    if (path === undefined) continue;
    found++;
    for (const row of await readDocument(path, subjectSchema)) yield reader.read(row);
  }
  if (found === 0)
    throw new LlavaError("data", `${folder}: holds no <Subject>/output.json`, {
      hint: "A folder of MMMU's outputs has a folder for each subject, such as Accounting/output.json.",
    });
}

async function* readLines(path: string, reader: RowReader): AsyncGenerator<Answer> {
  for await (const row of readCheckedLines(path, rowSchema)) yield reader.read(row);
}

/** Reads rows in their order, in which the original draws a letter for each response that it cannot read. */
class RowReader {
  readonly #random = new PythonRandom(42);

  read({ id: question, response, question_type, all_choices, index2ans = {}, parsed_pred }: Row): Answer {
    const letters = all_choices ?? Object.keys(index2ans);
    const isOpen = question_type !== undefined && question_type !== "multiple-choice";
    if (isOpen || letters.length === 0) return { id: question, text: response };
    const options = Object.fromEntries(letters.map((letter) => [letter, index2ans[letter] ?? `(${letter})`]));
    const read = chosenLetter(response, options, false);
    const drawn = read ?? this.#random.choice(letters);
    const own = chosenLetter(response, options, true);
    const verdict: Verdict = {
      letters: letters.join(""),
      ...(own !== undefined && { own }),
      official: typeof parsed_pred === "string" ? parsed_pred : drawn,
      guessed: read === undefined ? 1 : 0,
    };
    return { id: question, text: response, verdict };
  }
}
