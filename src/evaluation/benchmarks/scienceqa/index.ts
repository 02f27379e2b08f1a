import { join } from "node:path";
import { z } from "zod";
import { letterPrompt } from "../../../protocol/index.ts";
import {
  type Benchmark,
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
  type Published,
} from "../../benchmark.ts";
import {
  findFile,
  imageFolder,
  jsonBytes,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { plainAnswer, statedLetter } from "../../parsing/index.ts";
import { letters, question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { readPredictions } from "./predictions.ts";
import { inside, problemLabels, readProblemSplit } from "./problems.ts";
import { plainQuestion } from "./prompt-forms.ts";

interface ScienceQaItem extends BenchmarkItem {
  readonly question: string;
  readonly image?: string;
  /** How many options there are. */
  readonly choices: number;
  /** Letter of the right option. */
  readonly answer: string;
  readonly compat: boolean;
}

const turn = z.object({ value: z.string() });
const conversationSchema = z.array(
  z.object({
    id: z.string(),
    image: z.string().optional(),
    conversations: z.tuple([turn, turn]),
  }),
);

async function* load({
  data,
  split = "test",
  compat = false,
}: DatasetOptions): AsyncGenerator<ScienceQaItem> {
  const folder = imageFolder(data, [`images/${split}`, `scienceqa/images/${split}`, split]);
  if (findFile(data, inside("problems.json")) === undefined)
    return yield* conversations({ data, split, compat }, folder);
  for (const problem of await readProblemSplit(data, split)) {
    const { id, image, choices, answer } = problem;
    yield {
      id,
      labels: problemLabels(problem),
      question: plainQuestion(problem),
      ...(image === null ? {} : { image: join(folder, id, image) }),
      choices: choices.length,
      answer: letters[answer]!,
      compat,
    };
  }
}

/** LLaVA's questions, which do not tell subjects, grades and text contexts. */
async function* conversations(
  { data, split, compat }: { data: string; split: string; compat: boolean },
  folder: string,
): AsyncGenerator<ScienceQaItem> {
  const source = await locateQuestions(
    data,
    split,
    [...inside("problems.json"), ...inside(`llava_${split}_CQM-A.json`)],
    layouts,
  );
  if ("table" in source) return yield* tableItems(source.table, compat);
  const { path } = source;
  for (const { id, image, conversations: turns } of await readDocument(path, conversationSchema)) {
    const text = turns[0].value.replace("<image>", "").trim();
    yield {
      id,
      ...(image === undefined ? {} : { image: join(folder, image), labels: { image: "IMG" } }),
      question: text,
      choices: text.split("\n").filter((line) => /^[A-E]\. /.test(line)).length,
      answer: turns[1].value,
      compat,
    };
  }
}

const layouts = [
  { columns: ["question", "choices", "answer", "hint"], folder: /full/i },
  { columns: ["index", "question", "A", "B", "answer"] },
];

/** The tables of derek-thomas and lmms-lab, which have the dataset's fields but its ids, and VLMEvalKit's. */
async function* tableItems(table: TableFiles, compat: boolean): AsyncGenerator<ScienceQaItem> {
  for await (const row of tableRows(table)) {
    const optional = (name: string): string => row.optionalText(name) ?? "";
    const choices = row.list("choices") ?? row.letteredOptions();
    const answer = row.text("answer");
    const image = row.image();
    const problem = { question: row.text("question"), hint: optional("hint"), choices };
    const described = {
      subject: optional("subject"),
      hint: problem.hint,
      image: image ?? null,
      grade: optional("grade"),
    };
    yield {
      id: row.optionalText("index") ?? String(row.place),
      labels:
        described.subject === "" ? (image === undefined ? {} : { image: "IMG" }) : problemLabels(described),
      question: plainQuestion(problem),
      ...(image !== undefined && { image }),
      choices: choices.length,
      answer: /^\d+$/.test(answer) ? letters[Number(answer)]! : answer,
      compat,
    };
  }
}

function parse({ choices, compat }: ScienceQaItem, answer: string): string | undefined {
  // Without the points at its end an answer that is a letter is found alone; the original wants one after "The answer is B".
  const letter =
    statedLetter(answer) ??
    (compat ? undefined : (statedLetter(`${plainAnswer(answer)}.`) ?? statedLetter(plainAnswer(answer))));
  return letter !== undefined && letters.indexOf(letter) < choices ? letter : undefined;
}

function variant(
  name: string,
  title: string,
  published: readonly Published[],
  includes: (item: ScienceQaItem) => boolean,
): Benchmark {
  return benchmark<ScienceQaItem>({
    name,
    title,
    source:
      'Lu et al. 2022, "Learn to Explain: Multimodal Reasoning via Thought Chains for Science Question Answering"',
    files: ["problems.json and pid_splits.json (or llava_test_CQM-A.json, without subjects and grades)"],
    splits: ["test", "val"],
    headline: "accuracy",
    published,
    compat:
      'nothing is read but "B", "B. …" and "The answer is B." with a sign after it, as by LLaVA 1.2\'s eval_science_qa.py',
    async *load(options) {
      for await (const item of load(options)) if (includes(item)) yield item;
    },
    prompt: (item) =>
      question(item.question + letterPrompt, ...(item.image === undefined ? [] : [item.image])),
    sampling: { maxTokens: 1024, temperature: 0 },
    outcome(item, answer) {
      const { id, labels = {}, answer: truth } = item;
      const parsed = parse(item, answer);
      return { id, labels, parsed, truth, credit: parsed === truth ? 1 : 0 };
    },
    aggregate: (outcomes) => accuracyByLabel(outcomes),
    readPredictions,
    submission: {
      file: "scienceqa-result.json",
      async write(items, answers) {
        const outputs = items.map((item) => [item.id, answers.get(item.id) ?? ""] as const);
        const chosen = items.map((item) => parse(item, answers.get(item.id) ?? ""));
        const correct = items.filter((item, index) => chosen[index] === item.answer).length;
        return jsonBytes({
          acc: (100 * correct) / Math.max(1, items.length),
          correct,
          count: items.length,
          // -1 where no option could be read.
          results: Object.fromEntries(
            items.map(({ id }, index) => [
              id,
              chosen[index] === undefined ? -1 : letters.indexOf(chosen[index]),
            ]),
          ),
          outputs: Object.fromEntries(outputs),
        });
      },
    },
  });
}

const imageScores = [66.8, 71.6, 68.4, 71.2, 70.1, 73.6, 72.8, 81.8];

export default [
  variant("scienceqa", "ScienceQA", modelZooScores({ "accuracy/IMG": imageScores }), () => true),
  variant(
    "scienceqa-img",
    "ScienceQA (questions with an image)",
    modelZooScores({ accuracy: imageScores }),
    ({ image }) => image !== undefined,
  ),
];
