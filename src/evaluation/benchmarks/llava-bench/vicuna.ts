import { z } from "zod";
import { benchmark, type DatasetOptions, type Verdict } from "../../benchmark.ts";
import { locateFile, readCheckedLines, readDocument } from "../../dataset-files/index.ts";
import { readReferences } from "./load.ts";
import { type ReviewedItem, readScores, reviewed, textJudge } from "./review.ts";

const rulesSchema = z.record(z.string(), z.object({ prompt: z.string() }));
const questionSchema = z.object({
  question_id: z.union([z.int(), z.string()]).transform(String),
  text: z.string(),
  category: z.string(),
});

/** The models whose answers are there to compare with. */
const references = ["gpt35", "bard", "alpaca-13b", "llama-13b", "vicuna-13b"];

async function* load({
  data,
  split = "gpt35",
  compat = false,
}: DatasetOptions): AsyncGenerator<ReviewedItem> {
  const at = (name: string): string => locateFile(data, [name, `llava/eval/table/${name}`]);
  const rulesFile = at("rule.json");
  const rules = await readDocument(rulesFile, rulesSchema);
  const reference = await readReferences(at(`answer/answer_${split}.jsonl`));
  const path = at("question.jsonl");
  for await (const { question_id, text, category } of readCheckedLines(path, questionSchema)) {
    yield {
      id: question_id,
      labels: { category },
      question: text,
      reference: reference(question_id),
      rule: (rules[category] ?? rules["default"])?.prompt ?? "",
      compat,
    };
  }
}

const tuple = /(?:scores are|output:)\s*\(\s*([\d.]+)\s*,\s*([\d.]+)\s*\)/gi;
const listed = /^Assistant 1: *([\d.]+)\b.*\n+Assistant 2: *([\d.]+)\b/gm;

/** The rule for mathematics lets the judge solve the problem first, so that its scores come last. */
function readScoresAnywhere(reply: string, item: ReviewedItem): Verdict | undefined {
  const scores = readScores(reply, item);
  if (scores || item.compat) return scores;
  const last = [...reply.matchAll(listed), ...reply.matchAll(tuple)].at(-1);
  return last && readScores(`${last[1]} ${last[2]}`, item);
}

export const vicunaQuestions = benchmark<ReviewedItem>({
  ...reviewed,
  name: "vicuna-questions",
  title: "Vicuna's questions",
  source:
    "80 questions without images that LLaVA's language models were compared by; llava/eval/table of the LLaVA repository. The split names the model of assistant 1",
  files: ["question.jsonl", "rule.json", ...references.map((name) => `answer/answer_${name}.jsonl`)],
  splits: references,
  published: [],
  load,
  sampling: { temperature: 0.7, maxTokens: 1024 },
  judge: { ...textJudge, parse: readScoresAnywhere },
});
