import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import { imageFolder, locateFile, readCheckedLines } from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { normalizeEvalAiAnswer } from "../../parsing/index.ts";
import { question, withoutSuffix } from "../../prompting/index.ts";

interface Question extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  /** Any of them is right. */
  readonly answers: readonly string[];
}

const text = z.union([z.string(), z.number()]).transform(String);
const rowSchema = z.object({
  question_id: text,
  image: z.string(),
  text: z.string(),
  answer: z.union([text.transform((answer) => [answer]), z.array(text).min(1)]),
  category: z.string().optional(),
});

async function* load({ data }: DatasetOptions): AsyncGenerator<Question> {
  const path = locateFile(data, ["questions.jsonl"]);
  const folder = imageFolder(data.endsWith(".jsonl") ? join(data, "..") : data, ["images", "."]);
  for await (const row of readCheckedLines(path, rowSchema)) {
    yield {
      id: row.question_id,
      question: withoutSuffix(row.text, shortAnswerPrompt),
      image: join(folder, row.image),
      answers: row.answer,
      ...(row.category !== undefined && { labels: { category: row.category } }),
    };
  }
}

export default benchmark<Question>({
  name: "questions",
  title: "Questions of one's own",
  source: "any photos; llava data questions --evaluation makes such a file from captions",
  files: [
    "questions.jsonl: rows of question_id, image, text, answer (or a list of them), category",
    "images/",
  ],
  splits: ["test"],
  headline: "accuracy",
  published: [],
  load,
  prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, answers, labels = {}, image }, answer) {
    const parsed = normalizeEvalAiAnswer(answer);
    const credit = answers.some((right) => normalizeEvalAiAnswer(right) === parsed) ? 1 : 0;
    return { id, parsed, truth: answers.join(" | "), labels, group: image, credit };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
