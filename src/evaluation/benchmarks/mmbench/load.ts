import { z } from "zod";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import { type Cell, check, locateQuestions, tableRows, within } from "../../dataset-files/index.ts";
import { type Options, toOptions } from "./choice.ts";

export interface MmBenchItem extends BenchmarkItem {
  /** The original question that this is a rotation of. */
  readonly group: string;
  readonly hint?: string | undefined;
  readonly question: string;
  readonly options: Options;
  /** A data URL; workbooks of predictions have none. */
  readonly image?: string | undefined;
  readonly answer?: string | undefined;
  readonly split: string;
}

const optional = z.union([z.string(), z.number(), z.boolean(), z.null()]).optional();
const rowSchema = z.object({
  index: z.coerce.number().int(),
  question: z.coerce.string(),
  ...Object.fromEntries(
    ["hint", "A", "B", "C", "D", "answer", "category", "l2-category", "L2-category", "split"].map((name) => [
      name,
      optional,
    ]),
  ),
}) as unknown as z.ZodType<{ index: number; question: string } & Readonly<Record<string, Cell | undefined>>>;

/** What pandas, which the original reads tables with, takes for an empty cell, and LLaVA does besides. */
const emptyCells = new Set(
  "|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null|none".split(
    "|",
  ),
);

function textOf(cell: Cell | undefined): string | undefined {
  if (cell === undefined || cell === null) return undefined;
  const text = String(cell);
  return emptyCells.has(text) || ["nan", "none"].includes(text.toLowerCase()) ? undefined : text;
}

/** Rotations of a question have its index and a multiple of this. */
const rotation = 1_000_000;

/** Rows of MMBench's TSV file, or of a workbook of predictions, which lacks hints, categories and images. */
export async function* loadMmBench(
  { data, split = "dev" }: DatasetOptions,
  files: readonly string[],
): AsyncGenerator<MmBenchItem> {
  const source = await locateQuestions(data, split, files.flatMap(within(["", "mmbench/", "mmbench_cn/"])), [
    { columns: ["index", "question", "A", "B", "answer", "category"] },
    { columns: ["index", "question", "A", "B"] },
  ]);
  const paths = "table" in source ? source.table.paths : [source.path];
  for await (const cells of tableRows({ paths })) {
    const row = check(rowSchema, withPlainCells(cells.values), cells.where);
    const ownSplit = textOf(row["split"]);
    const image = cells.image();
    const labels = {
      category: textOf(row["category"]),
      l2: textOf(row["l2-category"] ?? row["L2-category"]),
    };
    yield {
      id: String(row.index),
      group: String(row.index % rotation),
      labels: Object.fromEntries(
        Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
      hint: textOf(row["hint"]),
      question: row.question,
      options: toOptions(["A", "B", "C", "D"].map((letter) => textOf(row[letter]))),
      image,
      answer: textOf(row["answer"]),
      split: ownSplit ?? split,
    };
  }
}

/** Numbers of parquet files may have 64 bits. */
const withPlainCells = (values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(values).map(([name, cell]) => [name, typeof cell === "bigint" ? Number(cell) : cell]),
  );
