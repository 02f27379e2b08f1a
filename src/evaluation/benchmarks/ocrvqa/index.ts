import { extname, join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  imageFolder,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { question } from "../../prompting/index.ts";

interface OcrVqaItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answer: string;
}

const schema = z.record(
  z.string(),
  z.object({
    imageURL: z.string(),
    questions: z.array(z.string()),
    answers: z.array(z.string()),
    split: z.int().min(1).max(3),
  }),
);
/** As the dataset numbers them. */
const splits = ["train", "val", "test"];

async function* load({ data, split = "test" }: DatasetOptions): AsyncGenerator<OcrVqaItem> {
  const names = ["dataset.json", "ocr_vqa/dataset.json", "ocrvqa/dataset.json"];
  const source = await locateQuestions(data, split, names, layouts);
  if ("table" in source) return yield* tableItems(source.table);
  const { path } = source;
  const folder = imageFolder(data, ["images", "ocr_vqa/images", "ocrvqa/images"]);
  for (const [book, row] of Object.entries(await readDocument(path, schema))) {
    if (splits[row.split - 1] !== split) continue;
    if (row.questions.length !== row.answers.length)
      throw new LlavaError(
        "data",
        `${path}: "${book}" has ${row.questions.length} questions, ${row.answers.length} answers`,
        {
          hint: "Fetch the original file again.",
        },
      );
    const image = join(folder, book + extname(new URL(row.imageURL).pathname));
    for (const [index, asked] of row.questions.entries())
      yield { id: `${book}/${index}`, question: asked, image, answer: row.answers[index]! };
  }
}

const layouts = [
  { columns: ["image_id", "questions", "answers"] },
  { columns: ["index", "question", "answer"] },
];

/** howard-hou's tables, a row a book, and VLMEvalKit's, a row a question. */
async function* tableItems(table: TableFiles): AsyncGenerator<OcrVqaItem> {
  for await (const row of tableRows(table)) {
    const image = row.image() ?? "";
    const [asked, answers] = [row.list("questions"), row.list("answers")];
    if (asked === undefined || answers === undefined) {
      const index = row.text("index");
      yield { id: index, question: row.text("question"), image, answer: row.text("answer") };
      continue;
    }
    const book = row.text("image_id");
    for (const [index, text] of asked.entries())
      yield { id: `${book}/${index}`, question: text, image, answer: answers[index] ?? "" };
  }
}

const normalize = (answer: string): string => answer.trim().toLowerCase().replace(/\.$/, "");

export default benchmark<OcrVqaItem>({
  name: "ocrvqa",
  title: "OCR-VQA",
  source: 'Mishra et al. 2019, "OCR-VQA: Visual Question Answering by Reading Text in Images"',
  files: ["dataset.json"],
  splits: ["test", "val"],
  headline: "accuracy",
  published: [],
  load,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  outcome({ id, answer: truth }, answer) {
    const parsed = normalize(answer);
    return {
      id,
      parsed,
      truth,
      group: id.slice(0, id.lastIndexOf("/")),
      credit: parsed === normalize(truth) ? 1 : 0,
    };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
