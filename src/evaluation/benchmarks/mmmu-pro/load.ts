import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { readJsonLines, readParquet } from "../../../files/index.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import { check, embeddedImage, within } from "../../dataset-files/index.ts";
import type { Options } from "../mmmu/choice.ts";
import { byLetter, imagesOf, labelsOf } from "../mmmu/load.ts";
import { optionsIn } from "./options.ts";

export interface MmmuProItem extends BenchmarkItem {
  /** Undefined where question and options stand in the image, and where the folder holds only outputs. */
  readonly question?: string | undefined;
  readonly options: Options;
  /** Data URLs, by the number in `<image 1>`; one without a number where the question stands in it. */
  readonly images: Readonly<Record<number, string>>;
  readonly answer: string;
  readonly compat: boolean;
}

/** Folders of the dataset by split, and what names of the official code's outputs hold. */
export const settings: Readonly<Record<string, { readonly folder: string; readonly output: RegExp }>> = {
  standard: { folder: "standard (10 options)", output: /_standard ?(\(10 options\))?_/ },
  vision: { folder: "vision", output: /_vision_/ },
  "standard-4": { folder: "standard (4 options)", output: /_standard ?\(4 options\)_/ },
};

const inside = within(["", "MMMU_Pro/", "mmmu-pro/", "mmmu_pro/"]);
const shardName = /^test-(\d+)-of-(\d+)\.parquet$/;

/** Questions of the dataset's parquet files; without any, those that an output of the official code carries. */
export async function* loadMmmuPro({
  data,
  split = "standard",
  compat = false,
}: DatasetOptions): AsyncGenerator<MmmuProItem> {
  const { folder, output } = settings[split]!;
  const shards = findShards(data, folder);
  if (shards.length > 0) for (const path of shards) yield* questions(path, compat);
  else yield* carried(findOutput(data, folder, output), compat);
}

/** All parts of the split's file, in order. @throws LlavaError "data" where one is missing */
function findShards(data: string, folder: string): string[] {
  for (const place of inside(folder).map((name) => resolve(data, name))) {
    const names = listed(place).filter((name) => shardName.test(name));
    const [first] = names;
    if (first === undefined) continue;
    const parts = Number(shardName.exec(first)![2]);
    if (names.length !== parts)
      throw new LlavaError("data", `${place}: holds ${names.length} of ${parts} parts of the test split`, {
        hint: "Fetch the missing parquet files of the dataset MMMU/MMMU_Pro.",
      });
    return names.map((name) => join(place, name));
  }
  return [];
}

function findOutput(data: string, folder: string, output: RegExp): string {
  if (data.endsWith(".jsonl")) return resolve(data);
  for (const place of [...inside(""), "output/", "mmmu-pro/output/"].map((name) => resolve(data, name))) {
    const name = listed(place).find((file) => file.endsWith(".jsonl") && output.test(file));
    if (name !== undefined) return join(place, name);
  }
  throw new LlavaError("data", `${resolve(data)}: holds no "${folder}/test-*.parquet"`, {
    hint: "Point --data to the folder of the dataset MMMU/MMMU_Pro.",
  });
}

const listed = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

const rowSchema = z.looseObject({
  id: z.string(),
  question: z.string().nullish(),
  /** A list as Python prints it, or a list. */
  options: z.union([z.string(), z.array(z.string())]),
  answer: z.string().regex(/^[A-Z]$/),
});

async function* questions(path: string, compat: boolean): AsyncGenerator<MmmuProItem> {
  for await (const { values, row } of readParquet(path)) {
    const where = `${path}: row ${row}`;
    const item = itemOf(values, where, compat);
    const shown = embeddedImage(values["image"]);
    yield { ...item, images: shown === undefined ? imagesOf(values) : { 0: shown } };
  }
}

async function* carried(path: string, compat: boolean): AsyncGenerator<MmmuProItem> {
  for await (const { value, line } of readJsonLines(path))
    yield { ...itemOf(value, `${path}:${line}`, compat), images: {} };
}

function itemOf(row: unknown, where: string, compat: boolean): Omit<MmmuProItem, "images"> {
  const { id, question, options, answer } = check(rowSchema, row, where);
  const texts = optionsIn(options);
  if (texts === undefined)
    throw new LlavaError("data", `${where}: not a list of options: ${String(options)}`, {
      hint: "Check that this is the dataset's original file.",
    });
  return {
    id,
    labels: labelsOf(id),
    question: question ?? undefined,
    options: byLetter(texts),
    answer,
    compat,
  };
}
