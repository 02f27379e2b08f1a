import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import type { DatasetOptions } from "../../benchmark.ts";
import {
  check,
  locateFile,
  locateQuestions,
  type QuestionSource,
  readDocument,
  readTable,
  type TableFiles,
  tableRows,
  videoFiles,
  within,
} from "../../dataset-files/index.ts";
import { type Dimension, isDimension, paraphraseOf, type VideoChatGptItem } from "./item.ts";
import { VideoCounter } from "./video-counter.ts";

/** Names of the files that hold a dimension's questions: the original list, and the table that IG-VLM distributes. */
const files: Readonly<Record<Dimension, readonly [string, string]>> = {
  correctness: ["generic_qa.json", "Generic_QA.csv"],
  detail: ["generic_qa.json", "Generic_QA.csv"],
  context: ["generic_qa.json", "Generic_QA.csv"],
  temporal: ["temporal_qa.json", "Temporal_QA.csv"],
  consistency: ["consistency_qa.json", "Consistency_QA1.csv"],
};

const inside = within(["", "text_generation_benchmark/", "data/text_generation_benchmark/"]);

export async function* loadVideoChatGpt(options: DatasetOptions): AsyncGenerator<VideoChatGptItem> {
  const { data, split = "correctness", compat = false } = options;
  if (!isDimension(split)) throw new LlavaError("usage", `Video-ChatGPT has no split "${split}"`);
  const videoOf = videoFiles(data, ["Test_Videos", "videos"]);
  const source = await locateQuestions(data, "test", files[split].flatMap(inside), [
    { columns: ["video_name", "question", "question_1", "question_2", "answer"], folder: hubFolders[split] },
  ]);
  for await (const row of rowsOf(data, source, split)) {
    const { id, question, answer, other } = row;
    const shared = { dimension: split, video: videoOf(row.video), answer, compat };
    const paraphrase = other === undefined ? undefined : { id: paraphraseOf(id), question: other };
    yield { id, question, ...shared, ...(paraphrase && { paraphrase }) };
    if (paraphrase) yield { ...paraphrase, ...shared, isParaphrase: true };
  }
}

/** lmms-lab has the three lists as tables with the same columns. */
const hubFolders: Readonly<Record<Dimension, RegExp>> = {
  correctness: /generic/i,
  detail: /generic/i,
  context: /generic/i,
  temporal: /temporal/i,
  consistency: /consistency/i,
};

function rowsOf(data: string, source: QuestionSource, split: Dimension): AsyncGenerator<Row> {
  if ("table" in source) return hubRows(source.table, split === "consistency");
  return source.path.endsWith(".csv") ? igvlmRows(data, source.path) : listRows(source.path);
}

async function* hubRows(table: TableFiles, isPair: boolean): AsyncGenerator<Row> {
  const counter = new VideoCounter();
  for await (const row of tableRows(table)) {
    const video = row.text("video_name");
    yield {
      id: counter.id(video),
      video,
      question: isPair ? row.text("question_1") : row.text("question"),
      answer: row.text("answer"),
      other: isPair ? row.text("question_2") : undefined,
    };
  }
}

interface Row {
  readonly id: string;
  readonly video: string;
  readonly question: string;
  readonly answer: string;
  readonly other?: string | undefined;
}

const listSchema = z.array(
  z.union([
    z.object({ video_name: z.string(), Q: z.string(), A: z.string() }),
    z
      .object({ video_name: z.string(), Q1: z.string(), Q2: z.string(), A: z.string() })
      .transform(({ Q1, ...row }) => ({ ...row, Q: Q1 })),
  ]),
);

async function* listRows(path: string): AsyncGenerator<Row> {
  const counter = new VideoCounter();
  for (const row of await readDocument(path, listSchema)) {
    const other = "Q2" in row ? row.Q2 : undefined;
    yield { id: counter.id(row.video_name), video: row.video_name, question: row.Q, answer: row.A, other };
  }
}

const rowSchema = z.object({
  video_name: z.string(),
  question: z.string(),
  question_id: z.string(),
  answer: z.string(),
});

async function* igvlmRows(data: string, path: string): AsyncGenerator<Row> {
  const others = path.endsWith("QA1.csv")
    ? await paraphrases(locateFile(data, inside("Consistency_QA2.csv")))
    : undefined;
  for await (const { values, line } of readTable(path)) {
    const { question_id, video_name, question, answer } = check(rowSchema, values, `${path}:${line}`);
    const other = others?.get(question_id);
    if (others && other === undefined)
      throw new LlavaError("data", `${path}:${line}: question ${question_id} has no paraphrase`, {
        hint: "Consistency_QA1.csv and Consistency_QA2.csv belong together.",
      });
    yield { id: question_id, video: video_name, question, answer, other };
  }
}

async function paraphrases(path: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for await (const { values, line } of readTable(path)) {
    const { question_id, question } = check(rowSchema, values, `${path}:${line}`);
    found.set(question_id, question);
  }
  return found;
}
