import { type Dirent, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import { parquetColumns, readParquet } from "../../files/index.ts";
import { QuestionRow } from "./question-row.ts";
import { readTable, tableColumns } from "./table.ts";
import { readWorkbook } from "./workbook.ts";

/** What tells a table of a benchmark's questions from others. */
export interface TableLayout {
  readonly columns: readonly string[];
  /** Columns that a table of something else has. */
  readonly without?: readonly string[];
  /** Of tables with these columns in several folders, that in a folder of such a name. */
  readonly folder?: RegExp;
}

/** The parts of a table, in order, and which of the layouts it has. */
export interface TableFiles {
  readonly paths: readonly string[];
  readonly layout: number;
}

/** How deep below the data folder tables are looked for. */
const depth = 5;

const kinds = new Set([".parquet", ".tsv", ".csv", ".xlsx"]);

/** Names that publishers give a split. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  val: ["val", "validation", "dev", "lite"],
  validation: ["validation", "val"],
  dev: ["dev", "val", "validation"],
  test: ["test", "testdev"],
  testdev: ["testdev", "test"],
};

/**
 * The table of questions among the files of a folder, or the file itself, by its columns, whatever its name: parquet files
 * as Hugging Face's hub has them, of which several parts make up one table, or a text table or workbook. The first layout
 * that a table has is taken. Names only tell splits apart: "validation-00000-of-00002.parquet".
 * @throws LlavaError "data" where several tables fit
 */
export async function findTable(
  data: string,
  split: string,
  layouts: readonly TableLayout[],
): Promise<TableFiles | undefined> {
  const files = filesIn(resolve(data), depth);
  const columns = new Map<string, readonly string[]>();
  for (const path of files) columns.set(path, await columnsOf(path));
  for (const [layout, { columns: wanted, without = [], folder }] of layouts.entries()) {
    const fitting = files.filter((path) => {
      const own = columns.get(path)!;
      return wanted.every((name) => own.includes(name)) && !without.some((name) => own.includes(name));
    });
    if (fitting.length === 0) continue;
    // Predictions in the form of a table lie beside it more often than they stand for it.
    const asked = narrow(fitting, (path) => !columns.get(path)!.includes("prediction"));
    const paths = choose(resolve(data), asked, split, folder);
    return { paths, layout };
  }
  return undefined;
}

/** "holds x.parquet with the columns a, b" of tables that no layout fits, for an error. */
export async function describeTables(data: string): Promise<string> {
  const described: string[] = [];
  for (const path of filesIn(resolve(data), depth).slice(0, 3))
    described.push(`${basename(path)} has the columns ${(await columnsOf(path)).slice(0, 12).join(", ")}`);
  return described.join("; ");
}

function filesIn(path: string, levels: number): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return kinds.has(extname(path)) ? [path] : [];
  if (!stat?.isDirectory()) return [];
  const entries = readdirSync(path, { withFileTypes: true });
  const isShown = (entry: Dirent): boolean => !entry.name.startsWith(".");
  return entries
    .filter(isShown)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (!entry.isDirectory() && kinds.has(extname(entry.name))) return [join(path, entry.name)];
      return entry.isDirectory() && levels > 1 ? filesIn(join(path, entry.name), levels - 1) : [];
    });
}

async function columnsOf(path: string): Promise<readonly string[]> {
  if (path.endsWith(".parquet")) return parquetColumns(path);
  if (path.endsWith(".xlsx")) return Object.keys((await readWorkbook(path))[0] ?? {});
  return tableColumns(path);
}

/** Files that make up one table: of the split, where names tell it, and in one folder. */
function choose(
  data: string,
  fitting: readonly string[],
  split: string,
  folder: RegExp | undefined,
): string[] {
  const wanted = aliases[split] ?? [split];
  let paths = narrow(fitting, (path) => wanted.includes(splitOf(path)));
  if (folder) paths = narrow(paths, (path) => folder.test(relative(data, path)));
  const tables = Map.groupBy(
    paths,
    (path) => `${dirname(path)}/${isPart(path) ? splitOf(path) : basename(path)}`,
  );
  if (tables.size === 1) return paths;
  const names = [...tables.values()].map(([path]) => relative(data, path!));
  throw new LlavaError(
    "data",
    `${data}: several tables fit the split "${split}": ${names.slice(0, 5).join(", ")}`,
    {
      hint: "Give one of them, or its folder, with --data.",
    },
  );
}

/** Those that fit, or all where none does. */
function narrow(paths: readonly string[], fits: (path: string) => boolean): string[] {
  const fitting = paths.filter(fits);
  return fitting.length > 0 ? fitting : [...paths];
}

const part = /^(.*?)-\d+-of-\d+(?:-\w+)?\.parquet$/;
const isPart = (path: string): boolean => part.test(basename(path));

/** The split that a file's name tells: what stands before the number of its part, or the last word that is one. */
function splitOf(path: string): string {
  const name = basename(path);
  const stem = part.exec(name)?.[1] ?? basename(name, extname(name));
  const known = new Set(Object.values(aliases).flat());
  const words = stem.toLowerCase().split(/[^a-z0-9]+/);
  return words.findLast((word) => known.has(word)) ?? stem;
}

export async function* tableRows({ paths }: Pick<TableFiles, "paths">): AsyncGenerator<QuestionRow> {
  let place = 0;
  const images = new Map<string, string>();
  for (const path of paths)
    for await (const { values, where } of rowsOf(path))
      yield new QuestionRow({ values, place: place++, where, folder: dirname(path), images });
}

async function* rowsOf(
  path: string,
): AsyncGenerator<{ values: Readonly<Record<string, unknown>>; where: string }> {
  if (path.endsWith(".parquet"))
    for await (const { values, row } of readParquet(path)) yield { values, where: `${path}: row ${row}` };
  else if (path.endsWith(".xlsx"))
    for (const [row, values] of (await readWorkbook(path)).entries())
      yield { values, where: `${path}: row ${row + 2}` };
  else for await (const { values, line } of readTable(path)) yield { values, where: `${path}:${line}` };
}
