import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  imageFolder,
  jsonBytes,
  locateQuestions,
  readDocument,
  readLlavaQuestions,
  type TableFiles,
  tableRows,
} from "../../dataset-files/index.ts";
import { accuracyByLabel, vqaCredit } from "../../metrics/index.ts";
import { normalizeEvalAiAnswer } from "../../parsing/index.ts";
import { question, unanswerablePrompt } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { known, listAnswers } from "../../scoring/index.ts";

interface VizWizItem extends BenchmarkItem {
  readonly question: string;
  /** The file's name, by which the server knows the question. */
  readonly name: string;
  readonly image: string;
  readonly answers?: readonly string[] | undefined;
}

const suffix = unanswerablePrompt + shortAnswerPrompt;
const schema = z.array(
  z.object({
    image: z.string(),
    question: z.string(),
    answers: z.array(z.object({ answer: z.string() })).optional(),
    answer_type: z.string().optional(),
  }),
);

async function* load({ data, split = "val" }: DatasetOptions): AsyncGenerator<VizWizItem> {
  const folder = imageFolder(data, [split, `vizwiz/${split}`, "images"]);
  const names = [`${split}.json`, `Annotations/${split}.json`, `vizwiz/${split}.json`];
  const lines = split === "test" ? ["llava_test.jsonl", "vizwiz/llava_test.jsonl"] : [];
  const source = await locateQuestions(data, split, [...names, ...lines], layouts);
  if ("table" in source) return yield* tableItems(source.table);
  const { path } = source;
  if (path.endsWith(".jsonl")) {
    for await (const { id, image, text } of readLlavaQuestions(path, suffix))
      yield { id, question: text, name: image, image: join(folder, image) };
    return;
  }
  // The original has no ids; LLaVA numbers the rows.
  for (const [id, row] of (await readDocument(path, schema)).entries()) {
    const { answer_type: answerType, image: name } = row;
    yield {
      id: String(id),
      question: row.question,
      name,
      image: join(folder, name),
      answers: row.answers?.map(({ answer }) => answer),
      ...(answerType === undefined ? {} : { labels: { answerType } }),
    };
  }
}

const layouts = [
  { columns: ["question_id", "question", "image", "category"], without: ["gpt_answer", "caption"] },
  { columns: ["index", "question", "answer"] },
];

/** lmms-lab's tables, which name the image as the question's id, and VLMEvalKit's. */
async function* tableItems(table: TableFiles): AsyncGenerator<VizWizItem> {
  for await (const row of tableRows(table)) {
    const name = row.optionalText("question_id") ?? "";
    const answerType = row.optionalText("category");
    yield {
      id: row.optionalText("index") ?? answerId(row.values) ?? String(row.place),
      question: row.text("question"),
      name,
      image: row.image() ?? "",
      answers: row.list("answers") ?? row.list("answer"),
      ...(answerType !== undefined && { labels: { answerType } }),
    };
  }
}

/** The server's rows, and others', name the image; the number in its name is that of its row. */
function answerId({ question_id, image }: Readonly<Record<string, unknown>>): string | undefined {
  const [, number] = /_(\d+)\.\w+$/.exec(String(question_id ?? image)) ?? [];
  return number === undefined ? undefined : String(Number(number));
}

export default benchmark<VizWizItem>({
  name: "vizwiz",
  title: "VizWiz VQA",
  source:
    'Gurari et al. 2018, "VizWiz Grand Challenge: Answering Visual Questions from Blind People"; vizwiz.org',
  files: ["val.json", "test.json or llava_test.jsonl"],
  splits: ["val", "test"],
  headline: "accuracy",
  published: modelZooScores({ accuracy: [50.0, 53.6, 47.8, 58.9, 57.6, 60.5, 60.0, 63.8] }),
  load,
  prompt: (item) => question(item.question + suffix, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  outcome({ id, answers, labels = {} }, answer) {
    const people = known(answers, id);
    const parsed = normalizeEvalAiAnswer(answer);
    return { id, labels, parsed, truth: listAnswers(people), credit: vqaCredit(parsed, people) };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  answerId,
  submission: {
    file: "vizwiz-answers.json",
    async write(items, answers) {
      return jsonBytes(
        items.map(({ id, name }) => ({ image: name, answer: normalizeEvalAiAnswer(answers.get(id) ?? "") })),
      );
    },
  },
});
