import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  findFile,
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
import { plainAnswer } from "../../parsing/index.ts";
import { question, withoutSuffix } from "../../prompting/index.ts";
import { isRelaxedRight } from "./relaxed.ts";

interface ChartItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  readonly answer: string;
  readonly compat: boolean;
}

const schema = z.array(z.object({ imgname: z.string(), query: z.string(), label: z.string() }));

const inside = within(["", "ChartQA Dataset/", "chartqa/", "ChartQA/"]);

/** What people wrote, and what was generated from captions of charts: the same number of each. */
const kinds = ["human", "augmented"];

const fileOf = (split: string, kind: string): string[] => inside(`${split}/${split}_${kind}.json`);

/** The original files have no ids, and ask some questions twice: "human/17" is the 18th that people wrote. */
async function* load({ data, split = "test", compat = false }: DatasetOptions): AsyncGenerator<ChartItem> {
  const asked = inside(`${split}_all.jsonl`);
  if (findFile(data, fileOf(split, kinds[0]!)) === undefined && findFile(data, asked) !== undefined)
    return yield* askedQuestions(locateFile(data, asked), data, compat);
  const source = await locateQuestions(data, split, fileOf(split, kinds[0]!), layouts);
  if ("table" in source) return yield* tableItems(source.table, compat);
  const folder = imageFolder(data, inside(`${split}/png`));
  for (const kind of kinds) {
    const path = locateFile(data, fileOf(split, kind));
    const rows = await readDocument(path, schema);
    for (const [index, { imgname, query, label }] of rows.entries())
      yield {
        id: `${kind}/${index}`,
        labels: { kind },
        question: query,
        image: join(folder, imgname),
        answer: label,
        compat,
      };
  }
}

const layouts = [
  { columns: ["question", "answer", "type", "image"], without: ["question_id"] },
  { columns: ["query", "label", "human_or_machine", "image"] },
  { columns: ["index", "question", "answer"] },
];

/** The tables of lmms-lab, of HuggingFaceM4, where 0 is what people wrote, and of VLMEvalKit. */
async function* tableItems(table: TableFiles, compat: boolean): AsyncGenerator<ChartItem> {
  const counts = new Map<string, number>();
  for await (const row of tableRows(table)) {
    const type = row.optionalText("type", "human_or_machine", "split") ?? "";
    const kind = type === "0" || type.startsWith("human") ? "human" : type === "" ? undefined : "augmented";
    const place = counts.get(kind ?? "") ?? 0;
    counts.set(kind ?? "", place + 1);
    yield {
      id: row.optionalText("index") ?? (kind === undefined ? String(place) : `${kind}/${place}`),
      ...(kind !== undefined && { labels: { kind } }),
      question: row.text("question", "query"),
      image: row.image() ?? "",
      answer: row.optionalText("answer") ?? row.list("label")?.[0] ?? "",
      compat,
    };
  }
}

async function* askedQuestions(path: string, data: string, compat: boolean): AsyncGenerator<ChartItem> {
  let index = 0;
  for await (const { image, question: text, answers } of readAskedQuestions(path))
    yield {
      id: String(index++),
      question: withoutSuffix(text, shortAnswerPrompt),
      image: join(data, image),
      answer: answers?.[0] ?? "",
      compat,
    };
}

const secondary = "CogVLM2 README";

export default benchmark<ChartItem>({
  name: "chartqa",
  title: "ChartQA",
  source:
    'Masry et al. 2022, "ChartQA: A Benchmark for Question Answering about Charts with Visual and Logical Reasoning"; github.com/vis-nlp/ChartQA',
  files: ["test/test_human.json, test/test_augmented.json and test/png/"],
  splits: ["test", "val"],
  headline: "relaxed-accuracy",
  published: [
    { model: "LLaVA-NeXT LLaMA-3-8B", metric: "relaxed-accuracy", value: 69.5, source: secondary },
    { model: "LLaVA-NeXT Qwen1.5-110B", metric: "relaxed-accuracy", value: 79.7, source: secondary },
  ],
  load,
  prompt: (item) => question(`${item.question}\nAnswer the question with a single word.`, item.image),
  sampling: { maxTokens: 16, temperature: 0 },
  compat: "answers are compared with the space and the points at their ends, as by lmms-eval up to 0.7",
  outcome({ id, labels = {}, answer: truth, compat }, answer) {
    const plain = compat ? (text: string) => text : plainAnswer;
    const parsed = plain(answer);
    return { id, labels, parsed, truth, credit: isRelaxedRight(parsed, plain(truth)) ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes, { name: "relaxed-accuracy" }),
});
