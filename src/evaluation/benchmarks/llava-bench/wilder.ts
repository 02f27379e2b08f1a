import { resolve } from "node:path";
import { z } from "zod";
import { readJsonLines } from "../../../files/index.ts";
import { benchmark, type DatasetOptions } from "../../benchmark.ts";
import { check, locateQuestions, type QuestionSource, tableRows } from "../../dataset-files/index.ts";
import { imageJudge, type ReviewedItem, reviewed } from "./review.ts";
import { shownImage } from "./rules.ts";

/** Columns of the dataset; rows without an id go by their number, from 0. */
const rowSchema = z.object({
  question_id: z.union([z.int(), z.bigint(), z.string()]).optional(),
  Question: z.string(),
  Answer: z.string(),
});
const imageSchema = z.object({ image: z.string() });

async function* load({
  data,
  split = "small",
  compat = false,
}: DatasetOptions): AsyncGenerator<ReviewedItem> {
  const source = await locateQuestions(
    data,
    split,
    [`${split}.jsonl`, `${split}/questions.jsonl`],
    [{ columns: ["Question", "Answer"], folder: split === "small" ? /small/i : /medium/i }],
  );
  let row = 0;
  for await (const { value, where, image } of rows(source)) {
    const { question_id, Question, Answer } = check(rowSchema, value, where);
    yield {
      id: String(question_id ?? row),
      image,
      question: Question,
      reference: Answer,
      rule: shownImage,
      compat,
    };
    row++;
  }
}

interface Row {
  readonly value: unknown;
  readonly where: string;
  readonly image: string | undefined;
}

async function* rows(source: QuestionSource): AsyncGenerator<Row> {
  if ("table" in source) {
    for await (const cells of tableRows(source.table))
      yield { value: cells.values, where: cells.where, image: cells.image() ?? cells.image("Image") };
    return;
  }
  const { path } = source;
  for await (const { value, line } of readJsonLines(path)) {
    const { image } = check(imageSchema, value, `${path}:${line}`);
    const isUrl = image.startsWith("data:");
    yield { value, where: `${path}:${line}`, image: isUrl ? image : resolve(path, "..", image) };
  }
}

export const wilder = benchmark<ReviewedItem>({
  ...reviewed,
  name: "wilder",
  title: "LLaVA-Bench (Wilder)",
  source:
    "Li et al. 2024, LLaVA-NeXT: Stronger LLMs; lmms-lab/LLaVA-Bench-Wilder: 120 questions (small), 1,020 (medium)",
  files: [
    "small/test-*.parquet or medium/…, or as JSON lines small.jsonl (Question, Answer, image: a path beside it or a data URL)",
  ],
  splits: ["small", "medium"],
  published: [],
  load,
  sampling: { temperature: 0, maxTokens: 4096 },
  judge: imageJudge,
});
