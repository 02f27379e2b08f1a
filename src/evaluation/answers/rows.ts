import { LlavaError } from "../../errors.ts";
import { readDataFile, readJsonLineBatches, readParquet, streamJsonArray } from "../../files/index.ts";
import { duplicateKey, readJsonDocument, readTable, readWorkbook } from "../dataset-files/index.ts";
import type { Fields } from "./answer-field.ts";
import type { Form } from "./sniff.ts";

/** A row of a file of predictions. */
export interface PredictionRow {
  /** null for what is no object. */
  readonly fields: Fields | null;
  /** What the row stands under, in a document that is keyed by question. */
  readonly key?: string;
  /** Counted from 1; undefined where the format has none. */
  readonly line?: number;
  readonly where: string;
}

/**
 * The rows of a file of predictions in any of the forms that hold such rows, in batches; undefined for another form. A
 * document may be an object of rows or of texts by id, one that holds a single list of rows among other things ("logs" of
 * lmms-eval), or a table by columns.
 * @throws LlavaError "data" naming file and line, also for an object with a key twice
 */
export function readPredictionRows(
  path: string,
  form: Form,
): AsyncIterable<Iterable<PredictionRow>> | undefined {
  switch (form) {
    case "lines":
      return lineRows(path);
    case "list":
      return listRows(path);
    case "document":
      return documentRows(path);
    case "table":
      return tableRows(path);
    case "workbook":
      return workbookRows(path);
    case "parquet":
      return parquetRows(path);
    default:
      return undefined;
  }
}

const asFields = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;

async function* lineRows(path: string): AsyncGenerator<Iterable<PredictionRow>> {
  for await (const batch of readJsonLineBatches(path)) yield located(path, batch);
}

function* located(
  path: string,
  batch: Iterable<{ readonly value: unknown; readonly line: number }>,
): Generator<PredictionRow> {
  for (const { value, line } of batch) yield { fields: asFields(value), line, where: `${path}:${line}` };
}

async function* listRows(path: string): AsyncGenerator<Iterable<PredictionRow>> {
  let row = 0;
  for await (const value of streamJsonArray(path))
    yield [{ fields: asFields(value), where: `${path}: row ${++row}` }];
}

async function* documentRows(path: string): AsyncGenerator<Iterable<PredictionRow>> {
  await refuseDuplicateKeys(path);
  const document = (await readJsonDocument(path)) as Fields;
  const lists = Object.values(document).filter(isRowList);
  if (lists.length === 1)
    yield lists[0]!.map((fields, row) => ({ fields, where: `${path}: row ${row + 1}` }));
  else yield [...keyedRows(document, path)];
}

const isRowList = (value: unknown): value is Fields[] =>
  Array.isArray(value) && value.length > 0 && value.every((element) => asFields(element) !== null);

function* keyedRows(document: Fields, path: string): Generator<PredictionRow> {
  const columns = ["index", "question_id", "prediction"].filter((name) => asFields(document[name]) !== null);
  if (columns.length > 1) return yield* columnRows(document, path);
  for (const [key, value] of Object.entries(document)) {
    const where = `${path}: "${key}"`;
    if (asFields(value) !== null) yield { fields: asFields(value), key, where };
    else yield { fields: { text: value }, key, where };
  }
}

/** A table as pandas writes it by columns: {"index": {"0": 7}, "prediction": {"0": "A"}}. */
function* columnRows(document: Fields, path: string): Generator<PredictionRow> {
  const columns = Object.entries(document).map(([name, cells]) => [name, asFields(cells) ?? {}] as const);
  const longest = columns.reduce((names: string[], [, cells]) => {
    const own = Object.keys(cells);
    return own.length > names.length ? own : names;
  }, []);
  for (const key of longest)
    yield {
      fields: Object.fromEntries(columns.map(([name, cells]) => [name, cells[key]])),
      where: `${path}: row ${key}`,
    };
}

/** @throws LlavaError "data" naming file, line and key: a parser would keep the last value in silence */
export async function refuseDuplicateKeys(path: string): Promise<void> {
  const found = duplicateKey(await readDataFile(path));
  if (found === undefined) return;
  throw new LlavaError("data", `${path}:${found.line}: a second answer to question "${found.key}"`, {
    hint: "Keep one value a key; files of several runs or chunks may overlap.",
  });
}

async function* tableRows(path: string): AsyncGenerator<Iterable<PredictionRow>> {
  for await (const { values, line } of readTable(path))
    yield [{ fields: values, line, where: `${path}:${line}` }];
}

async function* workbookRows(path: string): AsyncGenerator<Iterable<PredictionRow>> {
  const rows = await readWorkbook(path);
  // A workbook's first row holds the names of its columns.
  yield rows.map((fields, index) => ({ fields, line: index + 2, where: `${path}: row ${index + 2}` }));
}

async function* parquetRows(path: string): AsyncGenerator<Iterable<PredictionRow>> {
  for await (const { values, row } of readParquet(path)) {
    const fields = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        typeof value === "bigint" ? Number(value) : value,
      ]),
    );
    yield [{ fields, line: row, where: `${path}: row ${row}` }];
  }
}
