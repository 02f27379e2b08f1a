import { LlavaError } from "../../errors.ts";
import type { Benchmark, DatasetOptions } from "../benchmark.ts";
import { type Fields, idNames, isId, type NamedFields, RowShapes } from "./answer-field.ts";
import { Answers } from "./answers.ts";
import { findQuestions } from "./find-questions.ts";
import { isSample, type PeerAnswer, readSample, readTableRow } from "./peers.ts";
import { type PredictionRow, readPredictionRows, refuseDuplicateKeys } from "./rows.ts";
import { sniff } from "./sniff.ts";

export interface ReadAnswersOptions {
  /** The benchmark's questions, which rows of other evaluations are compared with; their own ids are taken without it. */
  readonly load?: DatasetOptions | undefined;
  /** Fields of rows, where they are not to be told by their names: the rows are then read by these alone. */
  readonly fields?: NamedFields | undefined;
}

type Source = Pick<Benchmark, "readPredictions" | "answerId" | "answerField" | "repeatsQuestions">;

/**
 * The answers in a file of predictions, or in several that make up one: in the benchmark's own format, LLaVA's JSONL
 * (question_id, text, model_id), a run's own store, rows of a server's (question_id, answer; questionId, prediction) or of
 * any tool that names its answers by a known field, lmms-eval's samples, VLMEvalKit's tables, or an object of id to text;
 * as lines, list, table, workbook or parquet, whatever the name of the file.
 * @throws LlavaError "data" naming file and line: an id twice, a line that is cut or not UTF-8, no answers at all, or
 * two fields of which either could be the answer
 */
export const readAnswers = (benchmark: Source, ...paths: readonly string[]): Promise<Answers> =>
  readAnswerFiles(benchmark, paths);

/** The same, with what decides where rows do not say enough. */
export async function readAnswerFiles(
  benchmark: Source,
  paths: readonly string[],
  options: ReadAnswersOptions = {},
): Promise<Answers> {
  const answers = new Answers(paths, benchmark.repeatsQuestions);
  for (const path of paths) await new FileReader(answers, benchmark, path, options).read();
  return answers;
}

interface PeerRow extends PeerAnswer {
  readonly where: string;
  readonly line: number | undefined;
}

class FileReader {
  readonly #answers: Answers;
  readonly #benchmark: Source;
  readonly #path: string;
  readonly #options: ReadAnswersOptions;
  readonly #shapes: RowShapes;
  readonly #peers: PeerRow[] = [];

  constructor(answers: Answers, benchmark: Source, path: string, options: ReadAnswersOptions) {
    this.#answers = answers;
    this.#benchmark = benchmark;
    this.#path = path;
    this.#options = options;
    this.#shapes = new RowShapes({ ...options.fields, usual: benchmark.answerField });
  }

  async read(): Promise<void> {
    const form = await sniff(this.#path);
    const before = this.#count();
    if (form === "document") await refuseDuplicateKeys(this.#path);
    const isNamed = this.#options.fields?.answer !== undefined || this.#options.fields?.id !== undefined;
    const own = form === "empty" || isNamed ? undefined : await this.#benchmark.readPredictions?.(this.#path);
    if (own) for await (const answer of own) this.#answers.add(answer);
    else
      for await (const batch of readPredictionRows(this.#path, form) ?? [])
        for (const row of batch) this.#add(row);
    await this.#addPeers();
    if (this.#count() > before) return;
    throw new LlavaError("data", `${this.#path}: ${form === "empty" ? "is empty" : "holds no answers"}`, {
      hint:
        form === "other" || form === "folder"
          ? "This is none of the formats that are read: JSON lines, a JSON list or object, CSV, TSV, xlsx, parquet."
          : "Give a file of predictions; the run that wrote this one may have failed.",
    });
  }

  #count(): number {
    return this.#answers.texts.size + this.#answers.failures.size;
  }

  #add({ fields, key, line, where }: PredictionRow): void {
    if (fields === null) throw unfit(where, "question_id");
    if (this.#options.fields?.answer === undefined && isSample(fields)) {
      this.#peers.push({ ...readSample(fields, where, this.#benchmark.answerId), line, where });
      return;
    }
    if (typeof fields["error"] === "string" && isFailure(fields)) {
      this.#addFailure(fields, where);
      return;
    }
    const named = this.#options.fields?.id ?? idNames.find((name) => isId(fields[name]));
    const own = named === undefined ? undefined : fields[named];
    const id = this.#benchmark.answerId?.(fields) ?? (isId(own) ? String(own) : key);
    if (id === undefined) throw unfit(where, "question_id", fields);
    const { answer } = this.#shapes.of(fields, where);
    const text = textOf(fields[answer], where, answer);
    if (named === "index" || (answer === "prediction" && isId(fields["index"])))
      this.#peers.push({ ...readTableRow(fields, text, this.#benchmark.answerId), line, where });
    else this.#answers.add({ id, text }, line);
    const model = fields["model_id"] ?? fields["model"];
    if (this.#answers.model === undefined && typeof model === "string") this.#answers.model = model;
  }

  #addFailure(fields: Fields, where: string): void {
    const id = idNames.map((name) => fields[name]).find(isId);
    if (id === undefined) throw unfit(where, "question_id", fields);
    if (!this.#answers.texts.has(String(id)))
      this.#answers.failures.set(String(id), fields["error"] as string);
  }

  /** Rows of other evaluations are joined to the questions together: one alone may fit by chance. */
  async #addPeers(): Promise<void> {
    if (this.#peers.length === 0) return;
    const { load } = this.#options;
    const ids =
      load === undefined
        ? this.#peers.map(({ ids: [id], place }) => id ?? String(place))
        : await findQuestions(this.#benchmark as Benchmark, load, this.#peers);
    for (const [index, { text, line }] of this.#peers.entries())
      this.#answers.add({ id: ids[index]!, text }, line);
  }
}

/** Whether a row says why there is no answer, and has none. */
const isFailure = (fields: Fields): boolean =>
  !["text", "answer", "prediction"].some((name) => typeof fields[name] === "string");

/** null is an answer that was not given, as an empty cell is. @throws LlavaError "data" for what is no text */
function textOf(value: unknown, where: string, name: string): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new LlavaError(
    "data",
    `${where}: "${name}" holds ${Array.isArray(value) ? "a list" : "an object"}, not a text`,
    {
      hint: "Give one answer a question, or name another field with --answer-field.",
    },
  );
}

const unfit = (where: string, field: string, fields: Fields = {}): LlavaError => {
  const names = Object.keys(fields);
  const found = names.length === 0 ? "" : ` Its fields are ${names.map((name) => `"${name}"`).join(", ")}.`;
  return new LlavaError("data", `${where}: has no ${field}`, {
    hint: `A row of predictions reads {"question_id": …, "text": "…"}; check that the file is for this benchmark.${found}`,
  });
};
