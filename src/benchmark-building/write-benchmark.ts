import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically, writeRows } from "../files/index.ts";
import type { BuildOptions, PublishedItem } from "./build-options.ts";
import { cardOf } from "./card.ts";
import type { BuildReport } from "./report.ts";
import { type BuildFiles, readTasks } from "./review/tasks.ts";

/**
 * Writes the folder that `llava eval run wilder` reads, whole or not at all: a line a question of each edition, images beside them,
 * and a card.
 */
export async function writeBenchmark(
  files: BuildFiles,
  items: readonly PublishedItem[],
  report: BuildReport,
  options: BuildOptions,
): Promise<void> {
  const partial = `${files.benchmark}.${process.pid}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(join(partial, "images"), { recursive: true });
  const names = new Map((await readTasks(files)).map(({ id, image }) => [id, image] as const));
  for (const image of names.values())
    await copyFile(join(files.images, image), join(partial, "images", image));
  const lineOf = ({ id, question, reference, category }: PublishedItem) => ({
    question_id: id,
    image: `images/${names.get(id)!}`,
    Question: question,
    Answer: reference,
    ...(category !== undefined && { category }),
  });
  await writeRows(join(partial, "medium.jsonl"), items.map(lineOf));
  const small = items.filter(({ isSmall }) => isSmall);
  if (small.length > 0) await writeRows(join(partial, "small.jsonl"), small.map(lineOf));
  writeAtomically(join(partial, "README.md"), [cardOf(items, report, options)], { code: "data" });
  await rm(files.benchmark, { recursive: true, force: true });
  await rename(partial, files.benchmark);
}
