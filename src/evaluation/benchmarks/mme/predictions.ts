import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { firstLineFits } from "../../../files/index.ts";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import type { Answer } from "../../benchmark.ts";
import { readCheckedLines } from "../../dataset-files/index.ts";
import { categories, idOf, tableRows } from "./files.ts";

const answerSchema = z.looseObject({ question_id: z.string(), prompt: z.string(), text: z.string() });

/**
 * The evaluation tool's results, a folder of one table a category or one of them; or LLaVA's answers, whose prompt tells
 * the two questions about an image apart. undefined for a file without prompts.
 */
export async function readMmePredictions(path: string): Promise<AsyncIterable<Answer> | undefined> {
  if ((await stat(path)).isDirectory()) return tables(await tablesIn(path));
  const category = categoryOf(path);
  if (category !== undefined) return table(path, category);
  return (await firstLineFits(path, answerSchema)) ? answersByPrompt(path) : undefined;
}

/** The category that a table is named for: "OCR" for ocr.txt. */
const categoryOf = (path: string): string | undefined =>
  categories.find((category) => basename(path).toLowerCase() === `${category.toLowerCase()}.txt`);

async function tablesIn(folder: string): Promise<readonly (readonly [path: string, category: string])[]> {
  const found = (await readdir(folder)).flatMap((name) => {
    const category = categoryOf(name);
    return category === undefined ? [] : [[join(folder, name), category] as const];
  });
  if (found.length > 0) return found.sort(([first], [second]) => (first < second ? -1 : 1));
  throw new LlavaError("data", `${folder}: holds no tables of results`, {
    hint: `A folder of MME's results has files ${categories[0]}.txt, ${categories[1]}.txt and so on.`,
  });
}

async function* tables(found: Awaited<ReturnType<typeof tablesIn>>): AsyncGenerator<Answer> {
  for (const [path, category] of found) yield* table(path, category);
}

async function* table(path: string, category: string): AsyncGenerator<Answer> {
  let row = 0;
  for await (const { image, asked, reply } of tableRows(path)) {
    row++;
    if (reply === undefined)
      throw new LlavaError("data", `${path}: row ${row} has no reply of a model`, {
        hint: "A table of results has four columns, parted by tabs: image, question, right answer, the model's reply.",
      });
    yield { id: idOf(category, image, asked), text: reply };
  }
}

async function* answersByPrompt(path: string): AsyncGenerator<Answer> {
  for await (const { question_id: id, prompt, text } of readCheckedLines(path, answerSchema)) {
    const isOwn = id.includes(" ");
    const asked = prompt.replace(shortAnswerPrompt.trim(), "").trim();
    yield { id: isOwn ? id : idOf(id.split("/", 1)[0]!, id, asked), text };
  }
}
