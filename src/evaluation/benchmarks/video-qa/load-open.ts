import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { streamJsonArray } from "../../../files/index.ts";
import type { DatasetOptions } from "../../benchmark.ts";
import {
  check,
  findFile,
  findTable,
  locateFile,
  readTable,
  type TableFiles,
  tableRows,
  videoFiles,
  within,
} from "../../dataset-files/index.ts";
import type { OpenItem } from "./open-item.ts";
import type { OpenSet } from "./open-sets.ts";

const id = z.union([z.string(), z.number()]).transform(String);
const questionSchema = z.object({ video_name: z.string(), question: z.string(), question_id: id });
const answerSchema = z.object({ question_id: id, answer: id, type: z.coerce.number().default(0) });
const rowSchema = z.object({
  video_name: z.string(),
  question: z.string(),
  answer: z.string(),
  question_type: z.coerce.number(),
});

/** Questions of <split>_q.json with the answers of <split>_a.json, or those of a table of IG-VLM's. */
export async function* loadOpen(
  set: OpenSet,
  { data, split = "test", compat = false }: DatasetOptions,
): AsyncGenerator<OpenItem> {
  const videoOf = videoFiles(data, set.videos);
  const at = within(["", "dataset/"]);
  const tables = within(["", "open_ended_qa/", "data/open_ended_qa/"])(set.table);
  const questions = findFile(data, at(`${split}_q.json`));
  const table = split === "test" ? findFile(data, tables) : undefined;
  const hub =
    questions === undefined && table === undefined ? await findTable(data, split, hubLayouts) : undefined;
  const source = hub
    ? hubRows(hub)
    : questions === undefined && table !== undefined
      ? igvlmRows(table, set)
      : jsonRows(
          questions ?? locateFile(data, [...at(`${split}_q.json`), ...(split === "test" ? tables : [])]),
          locateFile(data, at(`${split}_a.json`)),
        );
  const ranks = new Map<number, number>();
  for await (const row of source) {
    const typesBefore = ranks.get(row.type) ?? ranks.size;
    ranks.set(row.type, typesBefore);
    const video = videoOf(row.video.startsWith(set.videoPrefix) ? row.video : set.videoPrefix + row.video);
    const { question, answer } = row;
    const labels = set.labels(row.type, question);
    yield { id: row.id, labels, question, video, answer, typesBefore, compat };
  }
}

interface Row {
  readonly id: string;
  readonly video: string;
  readonly question: string;
  readonly answer: string;
  readonly type: number;
}

const hubLayouts = [{ columns: ["video_name", "question", "question_id", "answer", "type"] }];

/** lmms-lab's table. */
async function* hubRows(table: TableFiles): AsyncGenerator<Row> {
  for await (const row of tableRows(table))
    yield {
      id: row.text("question_id"),
      video: row.text("video_name"),
      question: row.text("question"),
      answer: row.text("answer"),
      type: Number(row.text("type")),
    };
}

async function* igvlmRows(path: string, { idColumn }: OpenSet): AsyncGenerator<Row> {
  for await (const { values, line } of readTable(path)) {
    const { video_name, question, answer, question_type } = check(rowSchema, values, `${path}:${line}`);
    const rowId = check(z.string(), values[idColumn], `${path}:${line}: ${idColumn}`);
    yield { id: rowId, video: video_name, question, answer, type: question_type };
  }
}

async function* jsonRows(questions: string, answers: string): AsyncGenerator<Row> {
  const right = new Map<string, z.infer<typeof answerSchema>>();
  let row = 0;
  for await (const value of streamJsonArray(answers)) {
    const answer = check(answerSchema, value, `${answers}: row ${++row}`);
    right.set(answer.question_id, answer);
  }
  row = 0;
  for await (const value of streamJsonArray(questions)) {
    const { question_id, video_name, question } = check(questionSchema, value, `${questions}: row ${++row}`);
    const found = right.get(question_id);
    if (found === undefined)
      throw new LlavaError("data", `${answers}: has no answer to question "${question_id}"`, {
        hint: "Take both files from one release of the dataset.",
      });
    yield { id: question_id, video: video_name, question, answer: found.answer, type: found.type };
  }
}
