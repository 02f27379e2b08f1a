import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { LlavaError } from "../../../errors.ts";
import { readLines } from "../../../files/index.ts";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import {
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
  type Metric,
  type Outcome,
} from "../../benchmark.ts";
import { findFile, locateFile, within } from "../../dataset-files/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { categories, cognition, idOf, perception, plainQuestion, type Row, tableRows } from "./files.ts";
import { readMmePredictions } from "./predictions.ts";

interface MmeItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answer: string;
}

async function* load({ data }: DatasetOptions): AsyncGenerator<MmeItem> {
  const folders = ["ground_truth/", "mme/ground_truth/", "eval_tool/LaVIN/", "LaVIN/", ""];
  const tables = findFile(data, within(folders)("existence.txt"));
  for (const category of categories) {
    const rows =
      tables === undefined ? releasedRows(data, category) : tableRows(join(tables, "..", `${category}.txt`));
    for await (const { image, asked, answer } of rows) {
      const id = idOf(category, image, asked);
      yield {
        id,
        labels: { category },
        question: plainQuestion(asked),
        image: imageOf(data, category, image),
        answer,
      };
    }
  }
}

/** The release: two lines beside each image, question and answer, in the category's folder or two folders of it. */
async function* releasedRows(data: string, category: string): AsyncGenerator<Row> {
  const root = locateFile(data, within(["", "MME_Benchmark_release_version/"])(category));
  const texts = findFile(root, ["questions_answers_YN"]) ?? root;
  for (const name of readdirSync(texts)
    .filter((file) => file.endsWith(".txt"))
    .sort()) {
    const path = join(texts, name);
    for await (const { text, line } of readLines(path)) {
      if (text.trim() === "") continue;
      const [asked, answer] = text.split("\t");
      if (asked === undefined || answer === undefined)
        throw new LlavaError("data", `${path}:${line}: expected question and answer, parted by a tab`, {
          hint: "Check that this is the dataset's original file.",
        });
      yield { image: basename(name, ".txt"), asked, answer };
    }
  }
}

function imageOf(data: string, category: string, image: string): string {
  const folders = ["", "MME_Benchmark_release_version/", "mme/"].flatMap((folder) =>
    ["images/", ""].map((inner) => `${folder}${category}/${inner}`),
  );
  const names = /\.\w+$/.test(image) ? [image] : [`${image}.jpg`, `${image}.png`];
  const candidates = folders.flatMap((folder) => names.map((name) => `${folder}${name}`));
  return findFile(data, candidates) ?? join(data, category, names[0]!);
}

/** Exactly yes or no, one letter, or one of them among the first four characters. */
function parse(answer: string): "yes" | "no" | undefined {
  const text = answer.toLowerCase().trim().replaceAll(".", "");
  if (text === "y") return "yes";
  if (text === "n") return "no";
  const start = text.slice(0, 4);
  return start.includes("yes") ? "yes" : start.includes("no") ? "no" : undefined;
}

interface Tally {
  right: number;
  questions: number;
  /** By image: right answers and all. */
  images: Map<string, { right: number; count: number }>;
}

function aggregate(outcomes: readonly Outcome[]): Metric[] {
  const tallies = new Map<string, Tally>();
  for (const { id, credit, group = id, labels } of outcomes) {
    const category = labels!["category"]!;
    const tally = tallies.get(category) ?? { right: 0, questions: 0, images: new Map() };
    tallies.set(category, tally);
    tally.right += credit;
    tally.questions++;
    const image = tally.images.get(group) ?? { right: 0, count: 0 };
    tally.images.set(group, image);
    image.right += credit;
    image.count++;
  }
  const metric = (name: string, value: number, count: number): Metric => ({ name, value, count, digits: 1 });
  const scores = new Map(
    [...tallies].map(([category, { right, questions, images }]) => {
      // An image that was drawn several times has its questions as often.
      let both = 0;
      for (const image of images.values()) if (image.right === image.count) both += image.count;
      const accuracy = (100 * right) / questions;
      return [
        category,
        { score: accuracy + (100 * both) / questions, accuracy, plus: (100 * both) / questions, questions },
      ];
    }),
  );
  const sum = (names: readonly string[]) =>
    names.reduce((total, name) => total + (scores.get(name)?.score ?? 0), 0);
  const count = (names: readonly string[]) =>
    names.reduce((total, name) => total + (scores.get(name)?.questions ?? 0), 0);
  return [
    metric("perception", sum(perception), count(perception)),
    metric("cognition", sum(cognition), count(cognition)),
    metric("total", sum(categories), count(categories)),
    ...categories.flatMap((category) => {
      const found = scores.get(category);
      if (found === undefined) return [];
      return [
        metric(`score/${category}`, found.score, found.questions),
        metric(`accuracy/${category}`, found.accuracy, found.questions),
        metric(`accuracy-plus/${category}`, found.plus, found.questions),
      ];
    }),
  ];
}

export default benchmark<MmeItem>({
  name: "mme",
  title: "MME",
  source: 'Fu et al. 2023, "MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models"',
  files: [
    "ground_truth/<category>.txt or eval_tool/LaVIN/<category>.txt for each of 14 categories, or these files alone",
    "or the release: <category>/*.txt, or <category>/questions_answers_YN/*.txt",
  ],
  splits: ["test"],
  headline: "perception",
  published: modelZooScores({
    perception: [1510.7, 1531.3, 1476.9, 1541.7, 1519, 1575, 1498, 1631],
    cognition: [null, null, null, null, 332, 326, 321, 397],
  }),
  load,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  outcome({ id, labels = {}, image, answer: truth }, answer) {
    const parsed = parse(answer);
    return { id, labels, parsed, truth, group: image, credit: parsed === truth.trim().toLowerCase() ? 1 : 0 };
  },
  aggregate,
  readPredictions: readMmePredictions,
});
