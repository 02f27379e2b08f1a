import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type BenchmarkItem, benchmark, type LoadOptions } from "../../benchmark.ts";
import {
  check,
  findFile,
  imageFolder,
  locateFile,
  readAskedQuestions,
  readJsonDocument,
  within,
} from "../../files/index.ts";
import {
  accuracyByLabel,
  chosenOption,
  letteredOptions,
  letterSuffix,
  letters,
  question,
  splitOptions,
} from "../../parsing/index.ts";

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

const inside = within(["", "ai2d/", "mova_eval/ai2d/"]);
const testIds = inside("ai2d_test_ids.csv");
const askedFiles = inside("test.jsonl");

async function* load({ data }: LoadOptions): AsyncGenerator<Ai2dItem> {
  const ids = findFile(data, testIds);
  if (ids === undefined || !ids.endsWith(".csv"))
    return yield* asked(locateFile(data, [...testIds, ...askedFiles]), data);
  const questions = locateFile(data, inside("questions"));
  const tested = new Set((await readFile(ids, "utf8")).split(/\s+/));
  const files = (await readdir(questions)).filter((file) => tested.has(file.replace(/\.png\.json$/, "")));
  files.sort((first, second) => Number.parseInt(first, 10) - Number.parseInt(second, 10));
  for (const file of files) {
    const path = join(questions, file);
    const { imageName, questions: rows } = check(schema, await readJsonDocument(path), path);
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

/** Questions as LLaVA models are asked, with options and suffix in the text. */
async function* asked(path: string, data: string): AsyncGenerator<Ai2dItem> {
  for await (const { id, image, question: text, answers } of readAskedQuestions(path)) {
    const bare = text.endsWith(letterSuffix) ? text.slice(0, -letterSuffix.length) : text;
    yield { id, ...splitOptions(bare), image: join(data, image), answer: answers?.[0] ?? "" };
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
    question(`${text}\n${letteredOptions(options)}${letterSuffix}`, image),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, options, answer: truth }, answer) {
    const parsed = chosenOption(answer, options);
    const right = `${truth}. ${options[letters.indexOf(truth)] ?? ""}`;
    return { id, parsed, truth: right, credit: parsed === truth ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
