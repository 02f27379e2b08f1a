import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import {
  findFile,
  imageFolder,
  locateQuestions,
  readAskedQuestions,
  readDocument,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { withoutSuffix } from "../../prompting/index.ts";

export interface DocumentItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answers?: readonly string[] | undefined;
  readonly compat: boolean;
}

/** Where one of the two data sets lies. */
export interface DocumentFiles {
  /** Names of the original file of a split. */
  readonly names: (split: string) => readonly string[];
  readonly folders: readonly string[];
  readonly images: readonly string[];
  /** What tells the two apart among tables of the hub. */
  readonly table: { readonly column: string; readonly folder: RegExp };
}

const schema = z.object({
  data: z.array(
    z.object({
      questionId: z.union([z.string(), z.number()]).transform(String),
      question: z.string(),
      image: z.string().optional(),
      image_local_name: z.string().optional(),
      answers: z.array(z.string()).optional(),
      question_types: z.array(z.string()).nullish(),
      answer_type: z.array(z.string()).nullish(),
    }),
  ),
});

/** The questions of the Robust Reading Competition's files, or those of LLaVA models' evaluations. */
export async function* loadDocuments(
  { data, split = "val", compat = false }: DatasetOptions,
  { names, folders, images, table }: DocumentFiles,
): AsyncGenerator<DocumentItem> {
  const inside = within(folders);
  const folder = imageFolder(data, images);
  const original = names(split).flatMap(inside);
  const asked = inside(`${split}.jsonl`);
  const path = findFile(data, original);
  if (path === undefined) {
    const source = await locateQuestions(
      data,
      split,
      [...original, ...asked],
      [
        { columns: ["questionId", "question", "answers", table.column], folder: table.folder },
        { columns: ["index", "question", "answer"] },
      ],
    );
    if ("table" in source) return yield* tableItems(source.table, compat);
    for await (const row of readAskedQuestions(source.path))
      yield {
        ...row,
        question: withoutSuffix(row.question, shortAnswerPrompt),
        image: join(folder, row.image),
        compat,
      };
    return;
  }
  for (const row of (await readDocument(path, schema)).data) {
    const types = row.question_types ?? row.answer_type ?? [];
    // A question of several types has them joined: tables count each question once.
    const labels = types.length === 0 ? {} : { type: [...types].sort().join(" + ") };
    const image = join(folder, (row.image ?? row.image_local_name ?? "").replace(/^documents\//, ""));
    yield { id: row.questionId, labels, question: row.question, image, answers: row.answers, compat };
  }
}

/** lmms-lab's tables, and VLMEvalKit's. */
async function* tableItems(table: TableFiles, compat: boolean): AsyncGenerator<DocumentItem> {
  for await (const row of tableRows(table)) {
    const types = row.list("question_types") ?? row.list("answer_type") ?? [];
    yield {
      id: row.text("index", "questionId"),
      labels: types.length === 0 ? {} : { type: [...types].sort().join(" + ") },
      question: row.text("question"),
      image: row.image() ?? "",
      answers: row.list("answers") ?? row.list("answer"),
      compat,
    };
  }
}
