import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  findTable,
  imageFolder,
  jsonBytes,
  locateQuestions,
  readDocument,
  readLlavaQuestions,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { plainAnswer } from "../../parsing/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { known } from "../../scoring/index.ts";

interface GqaItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answer?: string;
}

const schema = z.record(
  z.string(),
  z.object({
    question: z.string(),
    imageId: z.string(),
    answer: z.string(),
    types: z.object({ structural: z.string(), semantic: z.string() }),
  }),
);

const files = ["testdev_balanced_questions.json", "llava_gqa_testdev_balanced.jsonl"];
const folders = ["", "questions/", "data/", "data/questions1.2/", "gqa/"];
const candidates = files.flatMap(within(folders));

async function* load({ data }: DatasetOptions): AsyncGenerator<GqaItem> {
  const source = await locateQuestions(data, "testdev", candidates, layouts);
  if ("table" in source) return yield* tableItems(data, source.table);
  const { path } = source;
  const folder = imageFolder(data, ["images", "data/images", "gqa/images"]);
  if (path.endsWith(".jsonl")) {
    for await (const { id, image, text } of readLlavaQuestions(path, shortAnswerPrompt))
      yield { id, question: text, image: join(folder, image) };
    return;
  }
  for (const [id, row] of Object.entries(await readDocument(path, schema))) {
    const { structural, semantic } = row.types;
    const labels = { structural, semantic, form: structural === "query" ? "open" : "binary" };
    yield {
      id,
      labels,
      question: row.question,
      image: join(folder, `${row.imageId}.jpg`),
      answer: row.answer,
    };
  }
}

const layouts = [
  { columns: ["id", "question", "answer", "imageId"], folder: /testdev_balanced/ },
  { columns: ["index", "question", "answer"] },
];

/** lmms-lab's tables, whose images are a table of their own, and VLMEvalKit's. */
async function* tableItems(data: string, table: TableFiles): AsyncGenerator<GqaItem> {
  const shown = await findTable(data, "testdev", [
    { columns: ["id", "image"], without: ["question"], folder: /testdev_balanced/ },
  ]);
  const images = new Map<string, string>();
  if (shown) for await (const row of tableRows(shown)) images.set(row.text("id"), row.image() ?? "");
  for await (const row of tableRows(table)) {
    const image = images.get(row.optionalText("imageId") ?? "") ?? row.image() ?? "";
    const { structural, semantic } = (row.values["types"] ?? {}) as Readonly<Record<string, string>>;
    const form = structural === "query" ? "open" : "binary";
    yield {
      id: row.text("index", "id"),
      question: row.text("question"),
      image,
      answer: row.text("answer"),
      ...(structural && semantic && { labels: { structural, semantic, form } }),
    };
  }
}

/** LLaVA's conversion before the official comparison. */
const parse = (answer: string): string => plainAnswer(answer).toLowerCase();

export default benchmark<GqaItem>({
  name: "gqa",
  title: "GQA (test-dev, balanced)",
  source:
    'Hudson and Manning 2019, "GQA: A New Dataset for Real-World Visual Reasoning and Compositional Question Answering"',
  files: [`${files[0]} (or ${files[1]}, to run only)`],
  splits: ["testdev"],
  headline: "accuracy",
  published: modelZooScores({ accuracy: [62.0, 63.3, 63.0, 63.3, 64.2, 65.4, 64.8, 67.1] }),
  load,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  outcome({ id, answer: truth, labels = {} }, answer) {
    const parsed = parse(answer);
    return { id, labels, parsed, truth, credit: parsed === known(truth, id) ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  submission: {
    file: "testdev_balanced_predictions.json",
    async write(items, answers) {
      return jsonBytes(items.map(({ id }) => ({ questionId: id, prediction: parse(answers.get(id) ?? "") })));
    },
  },
});
