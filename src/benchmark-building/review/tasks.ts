import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { readJsonLines, writeAtomically, writeRows } from "../../files/index.ts";
import { withoutMetadata } from "../../processing/image/index.ts";
import type { Selection } from "../editions.ts";
import type { Reference } from "../references.ts";
import type { Survey } from "../survey.ts";

/** Where the parts of a build lie. */
export const buildFiles = (folder: string) => ({
  report: join(folder, "build.json"),
  tasks: join(folder, "review", "tasks.jsonl"),
  decisions: join(folder, "review", "decisions.jsonl"),
  /** Images of questions that were chosen, with nothing but their pixels. */
  images: join(folder, "review", "images"),
  benchmark: join(folder, "benchmark"),
});
export type BuildFiles = ReturnType<typeof buildFiles>;

const schema = z.object({
  id: z.string(),
  /** Name of a file of the images' folder. */
  image: z.string().regex(/^[\w-]+\.(jpg|png)$/),
  question: z.string(),
  reference: z.string(),
  /** What became of the teacher's reply. */
  class: z.string(),
  flags: z.array(z.object({ kind: z.string(), text: z.string().optional() })),
  isSmall: z.boolean(),
});

/** A question for reviewers. */
export type ReviewTask = z.infer<typeof schema>;

/** Writes what was chosen for reviewers, and its images. */
export async function writeTasks(
  files: BuildFiles,
  { flags }: Survey,
  { chosen }: Selection,
  references: ReadonlyMap<string, Reference>,
  signal: AbortSignal,
): Promise<void> {
  const tasks: ReviewTask[] = [];
  const there = new Set(existsSync(files.images) ? readdirSync(files.images) : []);
  for (const { item, isSmall } of chosen) {
    if (signal.aborted)
      throw new LlavaError("aborted", "stopped", { hint: "The same command goes on from there." });
    const { id, question } = item;
    let image = [`${id}.jpg`, `${id}.png`].find((name) => there.has(name));
    if (image === undefined) {
      const { bytes, suffix } = await withoutMetadata(await readFile(item.image), item.image);
      image = `${id}${suffix}`;
      writeAtomically(join(files.images, image), [bytes], { code: "data", makesFolder: true });
    }
    const { text: reference, class: name } = references.get(id)!;
    const own = (flags.get(id) ?? []).map(({ kind, text }) => ({
      kind,
      ...(text !== undefined && { text }),
    }));
    tasks.push({ id, image, question, reference, class: name, flags: own, isSmall });
  }
  await writeRows(files.tasks, tasks);
}

/** @throws LlavaError "data" for a folder without them */
export async function readTasks(files: BuildFiles): Promise<ReviewTask[]> {
  if (!existsSync(files.tasks))
    throw new LlavaError("data", `${files.tasks}: there is no such file`, {
      hint: "Name the folder that llava eval build has written to.",
    });
  const tasks: ReviewTask[] = [];
  for await (const { value, line } of readJsonLines(files.tasks)) {
    const { success, data, error } = schema.safeParse(value);
    if (!success)
      throw new LlavaError("data", `${files.tasks}:${line}: ${error.message}`, {
        hint: "Run llava eval build again.",
      });
    tasks.push(data);
  }
  return tasks;
}
