import { join } from "node:path";
import { z } from "zod";
import { letterPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  locateQuestions,
  readCheckedLines,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { letteredOptions, question } from "../../prompting/index.ts";
import { readAnswer } from "./read-answer.ts";

interface RealWorldItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answer: string;
  readonly compat: boolean;
}

const lineSchema = z.object({ image: z.string(), question: z.string(), answer: z.string() });

const inside = within(["data/", "", "realworldqa/", "RealWorldQA/data/"]);

/** The data set has no ids: "17" is its 18th question. */
async function* load({ data, compat = false }: DatasetOptions): AsyncGenerator<RealWorldItem> {
  const source = await locateQuestions(data, "test", inside("annotations.jsonl"), layouts);
  if ("table" in source) return yield* tableItems(source.table, compat);
  let index = 0;
  for await (const row of readCheckedLines(source.path, lineSchema)) {
    yield { ...row, id: String(index++), image: join(source.path, "..", row.image), compat };
  }
}

const layouts = [
  { columns: ["index", "question", "answer", "A", "B"] },
  { columns: ["question", "answer", "image"], without: ["options", "type"] },
];

/** The tables of xai-org and lmms-lab, whose questions list their options, and VLMEvalKit's, whose columns do. */
async function* tableItems(table: TableFiles, compat: boolean): AsyncGenerator<RealWorldItem> {
  for await (const row of tableRows(table)) {
    const options = row.letteredOptions();
    const asked = row.text("question");
    const listed = options.length === 0 ? asked : `${asked}\n${letteredOptions(options)}${letterPrompt}`;
    yield {
      id: row.optionalText("index") ?? String(row.place),
      question: listed,
      answer: row.text("answer"),
      image: row.image() ?? "",
      compat,
    };
  }
}

export default benchmark<RealWorldItem>({
  name: "realworldqa",
  title: "RealWorldQA",
  source: "xAI 2024, with Grok-1.5 Vision; dataset xai-org/RealworldQA",
  files: ["data/test-*.parquet (or annotations.jsonl with image, question, answer)"],
  splits: ["test"],
  headline: "accuracy",
  published: [],
  compat:
    'the letter of "B. Left" or "The answer is B" is not read: only an option\'s text is, which punctuation hides; as lmms-eval 0.2 to 0.7.1 have it',
  load,
  prompt: (item) => question(item.question.trim(), item.image),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, question: text, answer: truth, compat }, answer) {
    const parsed = readAnswer(answer, text, compat);
    return { id, parsed, truth, credit: parsed === truth.toLowerCase().trim() ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
});
