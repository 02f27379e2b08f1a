import { z } from "zod";
import { LlavaError } from "../errors.ts";
import { describeIssues, readDataFile } from "../json.ts";

const rowSchema = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  image: z.union([z.string(), z.array(z.string())]).optional(),
  conversations: z.array(z.object({ from: z.enum(["human", "gpt"]), value: z.string() })).min(1),
});

/** One sample in LLaVA's own form: turns alternate, `<image>` in the text marks where an image stands. */
export type LlavaRow = z.infer<typeof rowSchema>;

/** Reads a JSON array or JSON lines of LLaVA rows. Throws `data` naming the file and the row. */
export async function readRows(path: string): Promise<LlavaRow[]> {
  return parseRows(await readDataFile(path), path).map((value, index) => {
    const parsed = rowSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    const id = (value as { id?: unknown } | null)?.id;
    throw new LlavaError(
      "data",
      `${path}: row ${index + 1}${id === undefined ? "" : ` (id ${String(id)})`}: ${describeIssues(parsed.error)}`,
      { hint: 'A row is {"id", "image", "conversations": [{"from": "human" | "gpt", "value"}, …]}.' },
    );
  });
}

function parseRows(text: string, path: string): unknown[] {
  const isArray = /^\s*\[/.test(text);
  if (isArray) return parseJson(text, path) as unknown[];
  return text
    .split("\n")
    .flatMap((line, i) => (line.trim() === "" ? [] : [parseJson(line, `${path}:${i + 1}`)]));
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LlavaError("data", `${where}: not valid JSON: ${(cause as Error).message}`, {
      hint: "The file is a JSON array of rows, or has one row a line.",
      cause,
    });
  }
}
