import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import {
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
  type Metric,
  type Outcome,
} from "../../benchmark.ts";
import {
  check,
  imageFolder,
  imageGroup,
  locateQuestions,
  readCheckedLines,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { percentage } from "../../metrics/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";

interface PopeItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly label: "yes" | "no";
  readonly compat: boolean;
}

const rowSchema = z.object({ image: z.string(), text: z.string(), label: z.enum(["yes", "no"]) });

/** LLaVA numbers the questions of a category from here, in the order of its file. */
const offsets: Readonly<Record<string, number>> = { adversarial: 0, popular: 20_000_000, random: 10_000_000 };
const categories = Object.keys(offsets);

async function* load({ data, split = "all", compat = false }: DatasetOptions): AsyncGenerator<PopeItem> {
  const folder = imageFolder(data, ["val2014", "coco/val2014", "pope/val2014"]);
  for (const category of split === "all" ? categories : [split]) {
    const name = `coco_pope_${category}.json`;
    const folders = ["", "coco/", "output/coco/", "pope/coco/", "pope/"];
    const source = await locateQuestions(data, category, within(folders)(name), [tableLayout]);
    if ("table" in source) return yield* tableItems(source.table, split, compat);
    const { path } = source;
    let place = offsets[category]!;
    for await (const { image, text, label } of readCheckedLines(path, rowSchema)) {
      const id = String(++place);
      yield { id, labels: { category }, question: text, image: join(folder, image), label, compat };
    }
  }
}

const tableLayout = { columns: ["question", "answer", "category"], without: ["A"] };

/** Questions as lmms-lab and VLMEvalKit have them: a table with a column of the category; an index is the id there. */
async function* tableItems(table: TableFiles, split: string, compat: boolean): AsyncGenerator<PopeItem> {
  for await (const row of tableRows(table)) {
    const category = row.text("category").toLowerCase();
    if (split !== "all" && split !== category) continue;
    const { answer } = check(answerSchema, { answer: row.text("answer").trim().toLowerCase() }, row.where);
    const id = row.optionalText("index") ?? answerId(row.values) ?? String(row.place);
    const image = row.image() ?? "";
    yield { id, labels: { category }, question: row.text("question"), image, label: answer, compat };
  }
}

const answerSchema = z.object({ answer: z.enum(["yes", "no"]) });

/** lmms-lab numbers the questions of each category from 1. */
function answerId({ category, question_id }: Readonly<Record<string, unknown>>): string | undefined {
  const offset = offsets[String(category)];
  const number = Number(question_id ?? Number.NaN);
  return offset === undefined || !Number.isInteger(number) ? undefined : String(offset + number);
}

const noWords = ["No", "not", "no"];

/** The first sentence says no if one of its words is No, no or not; anything else but silence is a yes. */
function parse(answer: string): "yes" | "no" | undefined {
  const [sentence = ""] = answer.replace(/^[\s.]+/, "").split(".", 1);
  const words = sentence.match(/[\p{L}\p{N}'’]+/gu);
  if (words === null) return undefined;
  return words.some((word) => noWords.includes(word)) ? "no" : "yes";
}

/** The same of words that single spaces part; silence is a yes. */
function parseAsOriginal(answer: string): "yes" | "no" {
  const words = answer.split(".", 1)[0]!.replaceAll(",", "").split(" ");
  return words.some((word) => noWords.includes(word)) ? "no" : "yes";
}

interface Confusion {
  truePositives: number;
  falsePositives: number;
  trueNegatives: number;
  falseNegatives: number;
  /** Answers of yes: what cannot be read is wrong and neither. */
  yes: number;
}

function measure({ truePositives, falsePositives, trueNegatives, falseNegatives, yes }: Confusion) {
  const count = truePositives + falsePositives + trueNegatives + falseNegatives;
  const precision = percentage(truePositives, truePositives + falsePositives);
  const recall = percentage(truePositives, truePositives + falseNegatives);
  return {
    count,
    f1: percentage(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives),
    accuracy: percentage(truePositives + trueNegatives, count),
    precision,
    recall,
    "yes-ratio": percentage(yes, count),
  };
}

const names = ["f1", "accuracy", "precision", "recall", "yes-ratio"] as const;

/** Of each category, and the mean of the categories, which is what LLaVA's tables print for F1. */
function aggregate(outcomes: readonly Outcome[]): Metric[] {
  const confusions = new Map<string, Confusion>();
  for (const { labels, parsed, truth } of outcomes) {
    const category = labels?.["category"] ?? "all";
    const confusion = confusions.get(category) ?? {
      truePositives: 0,
      falsePositives: 0,
      trueNegatives: 0,
      falseNegatives: 0,
      yes: 0,
    };
    confusions.set(category, confusion);
    if (parsed === "yes") confusion.yes++;
    if (truth === "yes") confusion[parsed === "yes" ? "truePositives" : "falseNegatives"]++;
    else confusion[parsed === "no" ? "trueNegatives" : "falsePositives"]++;
  }
  const measured = [...confusions]
    .sort()
    .map(([category, confusion]) => ({ category, ...measure(confusion) }));
  return names.flatMap((name) => [
    {
      name,
      value: measured.reduce((sum, row) => sum + row[name], 0) / Math.max(1, measured.length),
      count: outcomes.length,
      digits: 2,
    },
    ...measured.map((row) => ({
      name: `${name}/${row.category}`,
      value: row[name],
      count: row.count,
      digits: 2,
    })),
  ]);
}

export default benchmark<PopeItem>({
  name: "pope",
  title: "POPE (objects of COCO)",
  source:
    'Li et al. 2023, "Evaluating Object Hallucination in Large Vision-Language Models"; output/coco of its repository',
  files: categories.map((category) => `coco_pope_${category}.json`),
  splits: ["all", ...categories],
  headline: "f1",
  published: modelZooScores({ f1: [85.9, 85.9, 86.4, 86.7, 86.5, 86.2, 86.7, 87.7] }),
  load,
  answerId,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  compat:
    'words are parted by single spaces alone, so that "No\\n" is a yes as an empty answer is; as LLaVA 1.2\'s eval_pope.py has it',
  outcome({ id, label, labels = {}, image, compat }, answer) {
    const parsed = compat ? parseAsOriginal(answer) : parse(answer);
    return {
      id,
      parsed,
      truth: label,
      labels,
      group: imageGroup(image, id),
      credit: parsed === label ? 1 : 0,
    };
  },
  aggregate,
});
