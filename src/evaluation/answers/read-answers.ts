import { LlavaError } from "../../errors.ts";
import type { Benchmark } from "../benchmark.ts";
import { readJsonDocument, readJsonLineBatches, streamJsonArray } from "../files/index.ts";
import { Answers } from "./answers.ts";
import { sniff } from "./sniff.ts";

/**
 * The answers in a file of predictions, or in several that make up one: in the benchmark's own format, LLaVA's JSONL
 * (question_id, text, model_id), a run's own store, a JSON list of such rows or of a server's (question_id, answer;
 * questionId, prediction), or a JSON object of id to text.
 * @throws LlavaError "data" naming file and line: an id twice, a line that is cut or not UTF-8, no answers at all
 */
export async function readAnswers(
  benchmark: Pick<Benchmark, "readPredictions">,
  ...paths: readonly string[]
): Promise<Answers> {
  const answers = new Answers(paths.join(", "));
  for (const path of paths) {
    const form = await sniff(path);
    const before = answers.texts.size + answers.failures.size;
    const own = form === "empty" ? undefined : await benchmark.readPredictions?.(path);
    if (own) for await (const answer of own) answers.add(answer);
    else if (form === "lines")
      for await (const batch of readJsonLineBatches(path))
        for (const { value, line } of batch) addRow(answers, value, path, line);
    else if (form === "list") {
      let row = 0;
      for await (const value of streamJsonArray(path)) addRow(answers, value, `${path}: row ${++row}`);
    } else if (form === "document") addTexts(answers, await readJsonDocument(path), path);
    if (answers.texts.size + answers.failures.size > before) continue;
    throw new LlavaError("data", `${path}: ${form === "empty" ? "is empty" : "holds no answers"}`, {
      hint: "Give a file of predictions; the run that wrote this one may have failed.",
    });
  }
  return answers;
}

interface Row {
  readonly question_id?: unknown;
  readonly questionId?: unknown;
  readonly id?: unknown;
  readonly text?: unknown;
  readonly answer?: unknown;
  readonly prediction?: unknown;
  readonly error?: unknown;
  readonly model_id?: unknown;
  readonly model?: unknown;
}

function addRow(answers: Answers, value: unknown, place: string, line?: number): void {
  const misfit = (field: string): LlavaError => unfit(line === undefined ? place : `${place}:${line}`, field);
  const row = (typeof value === "object" && value !== null ? value : {}) as Row;
  const id = row.question_id ?? row.questionId ?? row.id;
  const text = row.text ?? row.answer ?? row.prediction;
  if (typeof id !== "string" && typeof id !== "number") throw misfit("question_id");
  if (typeof text === "string") {
    answers.add({ id: String(id), text }, line);
    const model = row.model_id ?? row.model;
    if (answers.model === undefined && typeof model === "string") answers.model = model;
  } else if (typeof row.error === "string") {
    if (!answers.texts.has(String(id))) answers.failures.set(String(id), row.error);
  } else throw misfit("text");
}

function addTexts(answers: Answers, value: unknown, path: string): void {
  for (const [id, text] of Object.entries(value as object)) {
    if (typeof text !== "string") throw unfit(`${path}: "${id}"`, "text");
    answers.add({ id, text });
  }
}

const unfit = (where: string, field: string): LlavaError =>
  new LlavaError("data", `${where}: has no ${field}`, {
    hint: 'A row of predictions reads {"question_id": …, "text": "…"}; check that the file is for this benchmark.',
  });
