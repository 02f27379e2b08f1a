import { join } from "node:path";
import { z } from "zod";
import { type BenchmarkItem, benchmark, type LoadOptions } from "../../benchmark.ts";
import {
  check,
  embeddedImage,
  findFile,
  locateFile,
  readJsonLines,
  readParquet,
  within,
} from "../../files/index.ts";
import { accuracyByLabel, question } from "../../parsing/index.ts";
import { readAnswer } from "./read-answer.ts";

interface RealWorldItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answer: string;
  readonly compat: boolean;
}

const rowSchema = z.looseObject({ question: z.string(), answer: z.string() });
const lineSchema = z.object({ image: z.string(), question: z.string(), answer: z.string() });

const inside = within(["data/", "", "realworldqa/", "RealWorldQA/data/"]);
const parts = ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"];

/** The data set has no ids: "17" is its 18th question. */
async function* load({ data, compat = false }: LoadOptions): AsyncGenerator<RealWorldItem> {
  let index = 0;
  const lines = inside("annotations.jsonl");
  if (parts.every((part) => findFile(data, inside(part)) === undefined)) {
    const path = locateFile(data, [...inside(parts[0]!), ...lines]);
    for await (const { value, line } of readJsonLines(path)) {
      const row = check(lineSchema, value, `${path}:${line}`);
      yield { ...row, id: String(index++), image: join(path, "..", row.image), compat };
    }
    return;
  }
  for (const part of parts) {
    const path = locateFile(data, inside(part));
    for await (const { values, row } of readParquet(path)) {
      const where = `${path}: row ${row}`;
      const { question: text, answer } = check(rowSchema, values, where);
      yield {
        id: String(index++),
        question: text,
        answer,
        image: embeddedImage(values["image"]) ?? "",
        compat,
      };
    }
  }
}

export default benchmark<RealWorldItem>({
  name: "realworldqa",
  title: "RealWorldQA",
  source: "xAI 2024, with Grok-1.5 Vision; dataset xai-org/RealworldQA",
  files: ["data/test-0000{0,1}-of-00002.parquet (or annotations.jsonl with image, question, answer)"],
  splits: ["test"],
  headline: "accuracy",
  published: [],
  compat:
    'the letter of "B. Left" or "The answer is B" is not read: only an option\'s text is, which punctuation hides; as lmms-eval 0.2 to 0.7.1 have it',
  load,
  prompt: (item) => question(item.question.trim(), ...(item.image === "" ? [] : [item.image])),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, question: text, answer: truth, compat }, answer) {
    const parsed = readAnswer(answer, text, compat);
    return { id, parsed, truth, credit: parsed === truth.toLowerCase().trim() ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
