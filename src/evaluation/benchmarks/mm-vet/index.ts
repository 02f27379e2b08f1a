import { resolve } from "node:path";
import { z } from "zod";
import { benchmark, type DatasetOptions, type Metric, type Outcome, type Verdict } from "../../benchmark.ts";
import {
  findFile,
  imageGroup,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
} from "../../dataset-files/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { answerId, readAnswers, readGrades } from "./files.ts";
import type { MmVetItem } from "./item.ts";
import { judge } from "./judge.ts";

const capabilities = ["rec", "ocr", "know", "gen", "spat", "math"];

const questionsSchema = z.record(
  z.string(),
  z.object({
    imagename: z.string(),
    question: z.string(),
    answer: z.string(),
    capability: z.array(z.enum(capabilities)),
  }),
);

const layouts = [
  { columns: ["question_id", "question", "answer", "capability"] },
  { columns: ["index", "question", "answer", "category"] },
];

/** lmms-lab's table, which has capabilities in one cell, and VLMEvalKit's, which calls them a category. */
async function* tableItems(table: TableFiles): AsyncGenerator<MmVetItem> {
  for await (const row of tableRows(table)) {
    const named = row.list("capability") ?? row.list("category") ?? [];
    const own = named.flatMap((name) => name.split(",")).map((name) => name.trim().toLowerCase());
    const id = row.text("index", "question_id");
    yield {
      id: id.replace(/^(?=\d)/, row.values["index"] === undefined ? "v1_" : ""),
      labels: { capabilities: capabilities.filter((name) => own.includes(name)).join("_") },
      image: row.image() ?? "",
      question: row.text("question"),
      truth: row.text("answer"),
    };
  }
}

async function* load({ data }: DatasetOptions): AsyncGenerator<MmVetItem> {
  const source = await locateQuestions(data, "test", ["mm-vet.json", "mm-vet/mm-vet.json"], layouts);
  if ("table" in source) return yield* tableItems(source.table);
  const { path } = source;
  const images = findFile(data, ["images", "mm-vet/images"]) ?? resolve(data, "images");
  const questions = await readDocument(path, questionsSchema);
  for (const [id, { imagename, question, answer, capability }] of Object.entries(questions))
    yield {
      id,
      labels: { capabilities: capabilities.filter((name) => capability.includes(name)).join("_") },
      image: resolve(images, imagename),
      question,
      truth: answer,
    };
}

function outcome({ id, image, labels }: MmVetItem, _answer: string, verdict?: Verdict): Outcome {
  const scores = Object.entries(verdict ?? {}).map(([name, value]) => [name, Number(value)]);
  const values: Record<string, number> = Object.fromEntries(scores);
  return {
    id,
    credit: values["score"] ?? 0,
    parsed: values["score"] === undefined ? undefined : String(values["score"]),
    group: imageGroup(image, id),
    ...(labels && { labels }),
    values,
  };
}

/** Mean grades in percent: of all, of the questions that need a capability, of those that need exactly a set, of each run. */
function aggregate(outcomes: readonly Outcome[]): readonly Metric[] {
  const sums = new Map<string, { sum: number; count: number }>([["total", { sum: 0, count: 0 }]]);
  const add = (name: string, grade: number): void => {
    const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 };
    sums.set(name, { sum: sum + grade, count: count + 1 });
  };
  for (const { labels, values = {} } of outcomes) {
    const { score, ...runs } = values;
    if (score === undefined) continue;
    const needed = labels?.["capabilities"] ?? "";
    for (const name of [
      "total",
      ...needed.split("_").map((name) => `total/${name}`),
      `integration/${needed}`,
    ])
      add(name, score);
    for (const [run, grade] of Object.entries(runs)) add(`total/${run}`, grade);
  }
  const order = ["total", ...capabilities.map((name) => `total/${name}`)];
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...sums]
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map(([name, { sum, count }]) => ({
      name,
      value: count === 0 ? 0 : (sum / count) * 100,
      count,
      digits: 2,
    }));
}

const zoo = "LLaVA, docs/MODEL_ZOO.md";

export default benchmark<MmVetItem>({
  name: "mm-vet",
  title: "MM-Vet",
  source: "Yu et al. 2023, arXiv:2308.02490; mm-vet.zip of the benchmark's repository",
  files: ["mm-vet.json", "images/"],
  splits: ["test"],
  headline: "total",
  published: modelZooScores({ total: [31.1, 36.1, 30.2, 38.3, 43.9, 48.4, 47.3, 57.4] }, zoo),
  load,
  prompt: (item) => question(item.question, item.image),
  sampling: { temperature: 0, maxTokens: 1024 },
  outcome,
  aggregate,
  judge,
  readPredictions: readAnswers,
  answerId,
  readVerdicts: readGrades,
  submission: {
    file: "answers.json",
    write: async (items, answers) => {
      const rows = items.map(({ id }) => [id, answers.get(id)]).filter(([, text]) => text !== undefined);
      return new TextEncoder().encode(JSON.stringify(Object.fromEntries(rows), undefined, 2));
    },
  },
});
