import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { readParquet } from "../../../files/index.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import {
  check,
  embeddedImage,
  findFile,
  locateFile,
  readDocument,
  within,
} from "../../dataset-files/index.ts";
import { letters } from "../../prompting/index.ts";
import { pythonStrings } from "../../python/index.ts";
import type { Options } from "./choice.ts";
import { disciplineOf, subjects } from "./subjects.ts";

export interface MmmuItem extends BenchmarkItem {
  /** Empty where the folder holds only the answers. */
  readonly question: string;
  /** By letter; undefined for questions with a free answer, and where the folder holds only the answers. */
  readonly options?: Options | undefined;
  /** Data URLs, by the number in `<image 1>`. */
  readonly images: Readonly<Record<number, string>>;
  readonly multipleChoice: boolean;
  readonly answers: readonly string[];
  readonly compat: boolean;
}

const answersFile = ["mmmu/answer_dict_val.json", "answer_dict_val.json"];

const parquetFiles = (subject: string): string[] =>
  within(["", "MMMU/", "mmmu/"])(`${subject}/validation-00000-of-00001.parquet`);

/** Questions of the parquet files in the subjects' folders; without any, the ids and answers of answer_dict_val.json. */
export async function* loadMmmu({ data, compat = false }: DatasetOptions): AsyncGenerator<MmmuItem> {
  const found = subjects.map((subject) => findFile(data, parquetFiles(subject)));
  if (found.every((path) => path === undefined))
    yield* loadAnswers(locateFile(data, [...parquetFiles("Accounting"), ...answersFile]), compat);
  else
    for (const [index, path] of found.entries())
      yield* loadQuestions(path ?? locateFile(data, parquetFiles(subjects[index]!)), compat);
}

const answerSchema = z.union([z.string(), z.array(z.string()).min(1)]);
const types = z.enum(["multiple-choice", "open", "short-answer"]);

const rowSchema = z.looseObject({
  id: z.string(),
  question: z.string(),
  options: z.string(),
  answer: z.string(),
  question_type: types,
});

async function* loadQuestions(path: string, compat: boolean): AsyncGenerator<MmmuItem> {
  for await (const { values, row } of readParquet(path)) {
    const where = `${path}: row ${row}`;
    const { id, question, options, answer, question_type } = check(rowSchema, values, where);
    const texts = strings(options, where);
    const multipleChoice = question_type === "multiple-choice";
    yield {
      id,
      labels: labelsOf(id),
      question,
      options: multipleChoice ? byLetter(texts) : undefined,
      images: imagesOf(values),
      multipleChoice,
      answers: answer.startsWith("['") || answer.startsWith('["') ? strings(answer, where) : [answer],
      compat,
    };
  }
}

export const byLetter = (texts: readonly string[]): Options =>
  Object.fromEntries(texts.map((text, index) => [letters[index]!, text]));

/** Images of a row by the number in `<image 1>`. */
export const imagesOf = (values: Readonly<Record<string, unknown>>): Readonly<Record<number, string>> =>
  Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7].flatMap((number) => {
      const image = embeddedImage(values[`image_${number}`]);
      return image === undefined ? [] : [[number, image]];
    }),
  );

function strings(text: string, where: string): string[] {
  const read = pythonStrings(text);
  if (read !== undefined) return read;
  throw new LlavaError("data", `${where}: not a list of strings: ${text}`, {
    hint: "Check that this is the dataset's original file.",
  });
}

const dictionarySchema = z.record(
  z.string(),
  z.looseObject({ question_type: types, ground_truth: answerSchema }),
);

async function* loadAnswers(path: string, compat: boolean): AsyncGenerator<MmmuItem> {
  const rows = await readDocument(path, dictionarySchema);
  for (const [id, { question_type, ground_truth }] of Object.entries(rows))
    yield {
      id,
      labels: labelsOf(id),
      question: "",
      images: {},
      multipleChoice: question_type === "multiple-choice",
      answers: typeof ground_truth === "string" ? [ground_truth] : ground_truth,
      compat,
    };
}

/** "validation_Art_Theory_12" belongs to Art_Theory. */
export function labelsOf(id: string): Readonly<Record<string, string>> {
  const subject = id.split("_").slice(1, -1).join("_");
  const discipline = disciplineOf(subject);
  return discipline === undefined ? { subject } : { subject, discipline };
}
