import { dirname, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../errors.ts";
import { describeIssues, readDataFile } from "../json.ts";

/** A prompt of a batch, or why its line of the file is none. */
export interface PromptRow {
  readonly id: string | number;
  readonly prompt: string;
  readonly images: readonly string[];
  readonly error?: LlavaError;
}

const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  prompt: z.string(),
  images: z.array(z.string()).default([]),
});

/**
 * Reads lines of `{"id", "prompt", "images"}`; `id` is the line's number where it has none, and image paths count from
 * the file's folder. A bad line becomes a row with an error, so that the others can go on.
 */
export async function readPromptRows(path: string): Promise<PromptRow[]> {
  const text = await readDataFile(path);
  return text
    .split("\n")
    .flatMap((line, index) => (line.trim() === "" ? [] : [parseRow(line, index + 1, path)]));
}

function parseRow(line: string, lineNumber: number, path: string): PromptRow {
  const bad = (reason: string): PromptRow => ({
    id: lineNumber,
    prompt: "",
    images: [],
    error: new LlavaError("data", `${path}:${lineNumber}: ${reason}`, {
      hint: 'A row is {"id", "prompt", "images": ["path", …]}; id and images may be left out.',
    }),
  });
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return bad("not valid JSON");
  }
  const parsed = rowSchema.safeParse(json);
  if (!parsed.success) return bad(describeIssues(parsed.error));
  const { id = lineNumber, prompt, images } = parsed.data;
  return { id, prompt, images: images.map((image) => fromFolderOf(path, image)) };
}

const fromFolderOf = (path: string, image: string): string =>
  /^[a-z][a-z0-9+.-]+:/i.test(image) ? image : resolve(dirname(path), image);
