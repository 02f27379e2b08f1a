import { join } from "node:path";
import { z } from "zod";
import { letterPrompt, shortAnswerPrompt } from "../../../protocol/index.ts";
import {
  type Answer,
  type Benchmark,
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
  type Outcome,
} from "../../benchmark.ts";
import {
  documentReader,
  imageFolder,
  jsonBytes,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { chosenOption } from "../../parsing/index.ts";
import { letteredOptions, letters, question } from "../../prompting/index.ts";
import { known, listAnswers } from "../../scoring/index.ts";

interface AokVqaItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly choices: readonly string[];
  readonly correct?: number | undefined;
  readonly answers?: readonly string[] | undefined;
}

const schema = z.array(
  z.object({
    question_id: z.string(),
    image_id: z.number(),
    question: z.string(),
    choices: z.array(z.string()),
    correct_choice_idx: z.int().optional(),
    direct_answers: z.array(z.string()).optional(),
    difficult_direct_answer: z.boolean().default(false),
  }),
);

async function* load({ data, split = "val" }: DatasetOptions, direct: boolean): AsyncGenerator<AokVqaItem> {
  const name = `aokvqa_v1p0_${split}.json`;
  const source = await locateQuestions(data, split, [name, `aokvqa/${name}`], layouts);
  if ("table" in source) return yield* tableItems(source.table, direct);
  const { path } = source;
  const folder = imageFolder(data, [`${split}2017`, `coco/${split}2017`]);
  for (const row of await readDocument(path, schema)) {
    // The direct-answer task leaves out questions that people answered too differently.
    if (direct && row.difficult_direct_answer) continue;
    yield {
      id: row.question_id,
      question: row.question,
      image: join(folder, `${String(row.image_id).padStart(12, "0")}.jpg`),
      choices: row.choices,
      correct: row.correct_choice_idx,
      answers: row.direct_answers,
    };
  }
}

const layouts = [
  { columns: ["question_id", "question", "choices", "correct_choice_idx"] },
  { columns: ["index", "question", "A", "D", "answer"] },
];

/** HuggingFaceM4's tables, and VLMEvalKit's. */
async function* tableItems(table: TableFiles, direct: boolean): AsyncGenerator<AokVqaItem> {
  for await (const row of tableRows(table)) {
    if (direct && row.values["difficult_direct_answer"] === true) continue;
    const place = row.optionalText("correct_choice_idx");
    const letter = row.optionalText("answer");
    yield {
      id: row.text("index", "question_id"),
      question: row.text("question"),
      image: row.image() ?? "",
      choices: row.list("choices") ?? row.letteredOptions(),
      correct:
        place !== undefined ? Number(place) : letter === undefined ? undefined : letters.indexOf(letter),
      answers: row.list("direct_answers"),
    };
  }
}

function chosen({ choices }: AokVqaItem, answer: string): number | undefined {
  const letter = chosenOption(answer, choices);
  return letter === undefined ? undefined : letters.indexOf(letter);
}

const normalize = (answer: string): string => answer.trim().toLowerCase().replace(/\.$/, "");

const common = {
  source: 'Schwenk et al. 2022, "A-OKVQA: A Benchmark for Visual Question Answering using World Knowledge"',
  files: ["aokvqa_v1p0_val.json"],
  splits: ["val", "test"],
  headline: "accuracy",
  published: [],
  aggregate: (outcomes: readonly Outcome[]) => accuracyByLabel(outcomes),
} satisfies Partial<Benchmark>;

/** The server's form, in which a question may have an answer of each kind: { id: { multiple_choice, direct_answer } }. */
const readPredictions = (field: string) =>
  documentReader(z.record(z.string(), z.looseObject({ [field]: z.string() })), (rows): Answer[] =>
    Object.entries(rows).map(([id, row]) => ({ id, text: String(row[field]) })),
  );

const submission = (field: string, write: (item: AokVqaItem, answer: string) => string) => ({
  file: "predictions.json",
  async write(items: readonly AokVqaItem[], answers: ReadonlyMap<string, string>) {
    const entries = items.map((item) => [item.id, { [field]: write(item, answers.get(item.id) ?? "") }]);
    return jsonBytes(Object.fromEntries(entries));
  },
});

export default [
  benchmark<AokVqaItem>({
    ...common,
    name: "aokvqa",
    title: "A-OKVQA (multiple choice)",
    load: (options) => load(options, false),
    prompt: ({ question: asked, choices, image }) =>
      question(`${asked}\n${letteredOptions(choices)}${letterPrompt}`, image),
    sampling: { maxTokens: 16, temperature: 0 },
    outcome(item, answer) {
      const correct = known(item.correct, item.id);
      const index = chosen(item, answer);
      const named = (choice: number): string => `${letters[choice]}. ${item.choices[choice]}`;
      const parsed = index === undefined ? undefined : named(index);
      return { id: item.id, parsed, truth: named(correct), credit: index === correct ? 1 : 0 };
    },
    readPredictions: readPredictions("multiple_choice"),
    submission: submission(
      "multiple_choice",
      (item, answer) => item.choices[chosen(item, answer) ?? -1] ?? "",
    ),
  }),
  benchmark<AokVqaItem>({
    ...common,
    name: "aokvqa-da",
    title: "A-OKVQA (direct answer)",
    load: (options) => load(options, true),
    prompt: ({ question: asked, image }) => question(asked + shortAnswerPrompt, image),
    sampling: { maxTokens: 16, temperature: 0 },
    outcome({ id, answers }, answer) {
      const people = known(answers, id);
      const parsed = normalize(answer);
      const matches = people.filter((person) => person === parsed).length;
      return { id, parsed, truth: listAnswers(people), credit: Math.min(1, matches / 3) };
    },
    readPredictions: readPredictions("direct_answer"),
    submission: submission("direct_answer", (_, answer) => normalize(answer)),
  }),
];
