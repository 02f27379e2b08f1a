import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  findFile,
  imageFolder,
  jsonBytes,
  locateQuestions,
  type QuestionSource,
  readLlavaQuestions,
  readVqaQuestions,
  tableRows,
} from "../../dataset-files/index.ts";
import { accuracyByLabel, vqaCredit } from "../../metrics/index.ts";
import { normalizeEvalAiAnswer, remember } from "../../parsing/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { known, listAnswers } from "../../scoring/index.ts";

interface VqaItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  /** What ten people answered, where it was published. */
  readonly answers?: readonly string[] | undefined;
}

/** COCO's name of a split's images, and the names of its files. */
const splits: Readonly<Record<string, { images: string; questions: string[]; annotations: string[] }>> = {
  val: {
    images: "val2014",
    questions: ["v2_OpenEnded_mscoco_val2014_questions.json"],
    annotations: ["v2_mscoco_val2014_annotations.json"],
  },
  "test-dev": {
    images: "test2015",
    questions: ["v2_OpenEnded_mscoco_test-dev2015_questions.json", "llava_vqav2_mscoco_test-dev2015.jsonl"],
    annotations: [],
  },
  test: {
    images: "test2015",
    questions: ["v2_OpenEnded_mscoco_test2015_questions.json", "llava_vqav2_mscoco_test2015.jsonl"],
    annotations: [],
  },
};

/** As lmms-lab has the questions, with the images and the ten answers. */
const tableLayout = {
  columns: ["question_id", "question", "image_id", "question_type"],
  without: ["ocr_tokens"],
};

/** One object for each type: there are a million questions and more. */
const labelsOf = remember((answerType: string) => ({ answerType }));

const inside = (names: readonly string[]): string[] => [...names, ...names.map((name) => `vqav2/${name}`)];

/** A file of the validation split under another name, also compressed. */
function findRenamed(data: string, name: RegExp): string | undefined {
  if (!statSync(data, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const files = readdirSync(data).filter((file) => name.test(file) && /\.(json|gz|gzip)$/.test(file));
  return files.length === 1 ? join(data, files[0]!) : undefined;
}

async function* load({ data, split = "val" }: DatasetOptions): AsyncGenerator<VqaItem> {
  const { images, questions, annotations } = splits[split] ?? splits["val"]!;
  const renamed = findRenamed(data, /questions?_.*val|val.*questions?/i);
  const source: QuestionSource =
    findFile(data, inside(questions)) === undefined && split === "val" && renamed !== undefined
      ? { path: renamed }
      : await locateQuestions(data, split, inside(questions), [tableLayout]);
  if ("table" in source) {
    for await (const row of tableRows(source.table)) {
      const answerType = row.optionalText("answer_type");
      yield {
        id: row.text("question_id"),
        question: row.text("question"),
        image: row.image() ?? "",
        answers: row.list("answers"),
        ...(answerType !== undefined && { labels: labelsOf(answerType) }),
      };
    }
    return;
  }
  const { path } = source;
  const folder = imageFolder(data, [images, `coco/${images}`, `vqav2/${images}`]);
  if (path.endsWith(".jsonl")) {
    for await (const { id, image, text } of readLlavaQuestions(path, shortAnswerPrompt))
      yield { id, question: text, image: join(folder, image) };
    return;
  }
  const prefix = join(folder, `COCO_${images}_`);
  for await (const row of readVqaQuestions(
    path,
    findFile(data, inside(annotations)) ??
      (split === "val" ? findRenamed(data, /annot.*val|val.*annot/i) : undefined),
  )) {
    const image = `${prefix}${String(row.imageId).padStart(12, "0")}.jpg`;
    const { id, question, answers, answerType } = row;
    yield answerType === undefined
      ? { id, question, image, answers }
      : { id, question, image, answers, labels: labelsOf(answerType) };
  }
}

export default benchmark<VqaItem>({
  name: "vqav2",
  title: "VQA v2",
  source:
    'Goyal et al. 2017, "Making the V in VQA Matter: Elevating the Role of Image Understanding in Visual Question Answering"; visualqa.org',
  files: Object.values(splits).flatMap(({ questions, annotations }) => [
    questions.join(" or "),
    ...annotations.slice(0, 1),
  ]),
  splits: Object.keys(splits),
  headline: "accuracy",
  published: modelZooScores({ accuracy: [78.5, 80.0, 79.1, 80.0, 81.8, 82.8, 82.2, 83.7] }),
  load,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  outcome({ id, answers, labels = {} }, answer) {
    const people = known(answers, id);
    // Normalised once before it is sent, as LLaVA does, and again by the server.
    const parsed = normalizeEvalAiAnswer(answer);
    return { id, labels, parsed, truth: listAnswers(people), credit: vqaCredit(parsed, people) };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  submission: {
    file: "vqav2-answers.json",
    async write(items, answers) {
      return jsonBytes(
        items.map(({ id }) => ({
          question_id: Number(id),
          answer: normalizeEvalAiAnswer(answers.get(id) ?? ""),
        })),
      );
    },
  },
});
