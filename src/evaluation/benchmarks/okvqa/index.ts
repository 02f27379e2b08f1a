import { join } from "node:path";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  findFile,
  imageFolder,
  locateQuestions,
  readVqaQuestions,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel, vqaCredit } from "../../metrics/index.ts";
import { normalizeEvalAiAnswer } from "../../parsing/index.ts";
import { question } from "../../prompting/index.ts";
import { known, listAnswers } from "../../scoring/index.ts";

interface OkVqaItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answers?: readonly string[] | undefined;
}

const questionFile = "OpenEnded_mscoco_val2014_questions.json";
const annotationFile = "mscoco_val2014_annotations.json";
/** As lmms-lab has the questions. */
const tableLayout = { columns: ["question_id", "question", "answers", "image"], without: ["ocr_tokens"] };

const inside = within(["", "okvqa/"]);

async function* load({ data }: DatasetOptions): AsyncGenerator<OkVqaItem> {
  const folder = imageFolder(data, ["val2014", "coco/val2014", "okvqa/val2014"]);
  const annotations = findFile(data, inside(annotationFile));
  const source = await locateQuestions(data, "val", inside(questionFile), [tableLayout]);
  if ("table" in source) {
    for await (const row of tableRows(source.table))
      yield {
        id: row.text("question_id"),
        question: row.text("question"),
        image: row.image() ?? "",
        answers: row.list("answers"),
      };
    return;
  }
  for await (const row of readVqaQuestions(source.path, annotations)) {
    const image = join(folder, `COCO_val2014_${String(row.imageId).padStart(12, "0")}.jpg`);
    yield { id: row.id, question: row.question, image, answers: row.answers };
  }
}

export default benchmark<OkVqaItem>({
  name: "okvqa",
  title: "OK-VQA",
  source:
    'Marino et al. 2019, "OK-VQA: A Visual Question Answering Benchmark Requiring External Knowledge"; okvqa.allenai.org',
  files: [questionFile, annotationFile],
  splits: ["val"],
  headline: "accuracy",
  published: [],
  load,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, answers }, answer) {
    const people = known(answers, id);
    const parsed = normalizeEvalAiAnswer(answer);
    return { id, parsed, truth: listAnswers(people), credit: vqaCredit(parsed, people) };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
