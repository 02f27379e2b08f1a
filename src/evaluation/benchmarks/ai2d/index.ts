import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { letterPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  findFile,
  findTable,
  imageFolder,
  locateFile,
  locateQuestions,
  readAskedQuestions,
  readDocument,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { chosenOption, splitOptions } from "../../parsing/index.ts";
import { letteredOptions, letters, question, withoutSuffix } from "../../prompting/index.ts";

interface Ai2dItem extends BenchmarkItem {
  readonly question: string;
  readonly options: readonly string[];
  readonly image: string;
  /** Letter of the right option. */
  readonly answer: string;
}

const schema = z.object({
  imageName: z.string(),
  questions: z.record(
    z.string(),
    z.object({
      abcLabel: z.boolean(),
      answerTexts: z.array(z.string()),
      correctAnswer: z.int(),
      questionId: z.string(),
    }),
  ),
});

const inside = within(["", "ai2d/"]);
const testIds = inside("ai2d_test_ids.csv");
const askedFiles = inside("test.jsonl");

async function* load({ data }: DatasetOptions): AsyncGenerator<Ai2dItem> {
  const ids = findFile(data, testIds);
  if (ids === undefined || (await isTable(ids))) {
    const source = await locateQuestions(data, "test", askedFiles, layouts);
    return yield* "table" in source ? tableItems(source.table) : asked(source.path, data);
  }
  const questions = locateFile(data, inside("questions"));
  const tested = new Set((await readFile(ids, "utf8")).split(/\s+/));
  const files = (await readdir(questions)).filter((file) => tested.has(file.replace(/\.png\.json$/, "")));
  files.sort((first, second) => Number.parseInt(first, 10) - Number.parseInt(second, 10));
  for (const file of files) {
    const path = join(questions, file);
    const { imageName, questions: rows } = await readDocument(path, schema);
    for (const [text, { abcLabel, answerTexts, correctAnswer, questionId }] of Object.entries(rows))
      yield {
        id: questionId,
        question: text,
        options: answerTexts,
        // Where options are letters, the diagram's labels are replaced by letters.
        image: join(imageFolder(data, inside(abcLabel ? "abc_images" : "images")), imageName),
        answer: letters[correctAnswer]!,
      };
  }
}

const layouts = [
  { columns: ["question", "options", "answer", "image"] },
  { columns: ["index", "question", "A", "B", "answer"] },
];

/** The list of tested ids has one column without a name. */
const isTable = async (path: string): Promise<boolean> =>
  !path.endsWith(".csv") || (await findTable(path, "test", layouts)) !== undefined;

/** lmms-lab's table, whose answers are places from 0, and VLMEvalKit's. */
async function* tableItems(table: TableFiles): AsyncGenerator<Ai2dItem> {
  for await (const row of tableRows(table)) {
    const answer = row.text("answer");
    yield {
      id: row.optionalText("index") ?? String(row.place),
      question: row.text("question"),
      options: row.list("options") ?? row.letteredOptions(),
      image: row.image() ?? "",
      answer: /^\d$/.test(answer) ? letters[Number(answer)]! : answer,
    };
  }
}

/** Questions as LLaVA models are asked, with options and suffix in the text. */
async function* asked(path: string, data: string): AsyncGenerator<Ai2dItem> {
  for await (const { id, image, question: text, answers } of readAskedQuestions(path)) {
    yield {
      id,
      ...splitOptions(withoutSuffix(text, letterPrompt)),
      image: join(data, image),
      answer: answers?.[0] ?? "",
    };
  }
}

export default benchmark<Ai2dItem>({
  name: "ai2d",
  title: "AI2D (test)",
  source:
    'Kembhavi et al. 2016, "A Diagram Is Worth a Dozen Images"; prior.allenai.org/projects/diagram-understanding',
  files: [
    "questions/<number>.png.json, images/, abc_images/ and ai2d_test_ids.csv",
    "or test.jsonl with question_id, image, question, answer",
  ],
  splits: ["test"],
  headline: "accuracy",
  published: [],
  load,
  prompt: ({ question: text, options, image }) =>
    question(`${text}\n${letteredOptions(options)}${letterPrompt}`, image),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, options, answer: truth }, answer) {
    const parsed = chosenOption(answer, options);
    const right = `${truth}. ${options[letters.indexOf(truth)] ?? ""}`;
    return { id, parsed, truth: right, credit: parsed === truth ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
