import { existsSync } from "node:fs";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { expand } from "brace-expansion";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues, readDataFile } from "../../files/index.ts";
import { parseStrategy, type SamplingStrategy } from "./sampling-strategy.ts";

/** The line that asks for an answer in a certain form, as in LLaVA-1.5's mixture. */
export type ResponseFormat = "short" | "letter";

/** One file of rows, and what is taken of it. */
export interface Dataset {
  readonly path: string;
  /** Folder of its images, where it has one of its own. */
  readonly images?: string;
  readonly strategy: SamplingStrategy;
  /** Rows that the file has by what its mixture says, for a look at it before the file is there. */
  readonly statedRows?: number;
  /** Appended to the first question of each row that lacks it. */
  readonly responseFormat?: ResponseFormat;
}

const mixtureSchema = z.object({
  datasets: z
    .array(
      z.strictObject({
        json_path: z.string(),
        sampling_strategy: z.string().default("all"),
        images: z.string().optional(),
        rows: z.int().min(0).optional(),
        response_format: z.enum(["short", "letter"]).optional(),
      }),
    )
    .min(1),
});

const isMixture = (path: string): boolean => [".yaml", ".yml"].includes(extname(path));

/** Whether a file is read from its begin to its end, its images with it. */
export const isShard = (path: string): boolean => /\.(tar|parquet)$/.test(path);

/**
 * The files that a name stands for: one of rows or shards, several in braces such as `{a,b}.json` or `{000..099}.tar`, or
 * a mixture in YAML as LLaVA-NeXT's scripts read it, with paths that count from its folder.
 * @throws LlavaError "config" for a mixture that is wrong, "data" for a file that is not there
 */
export async function readDatasets(name: string): Promise<Dataset[]> {
  const datasets = await namedDatasets(name);
  const missing = datasets.filter(({ path }) => !existsSync(path));
  if (missing.length === 0) return datasets;
  const others = missing.length > 1 ? `, nor do ${missing.length - 1} others of ${name}` : "";
  throw new LlavaError("data", `${missing[0]!.path} does not exist${others}`, {
    hint: "Give a file of rows (.json, .jsonl), shards (.tar, .parquet), or a mixture (.yaml).",
  });
}

/** The same where files need not be there. @throws LlavaError "config" for a mixture that is wrong */
export async function namedDatasets(name: string): Promise<Dataset[]> {
  if (!isMixture(name)) return filesOf(name).map((path) => ({ path, strategy: parseStrategy("all", name) }));
  const beside = (path: string): string => (isAbsolute(path) ? path : resolve(dirname(name), path));
  return (await readMixture(name)).datasets.flatMap((entry, index) => {
    const where = `${name}: dataset ${index + 1}`;
    const strategy = parseStrategy(entry.sampling_strategy, where);
    return filesOf(beside(entry.json_path)).map(
      (path): Dataset => ({
        path,
        strategy,
        ...(entry.images !== undefined && { images: beside(entry.images) }),
        ...(entry.rows !== undefined && { statedRows: entry.rows }),
        ...(entry.response_format && { responseFormat: entry.response_format }),
      }),
    );
  });
}

async function readMixture(path: string): Promise<z.infer<typeof mixtureSchema>> {
  const text = await readDataFile(path);
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (cause) {
    throw new LlavaError("config", `${path}: not valid YAML: ${(cause as Error).message.split("\n")[0]}`, {
      cause,
    });
  }
  const parsed = mixtureSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new LlavaError("config", `${path}: ${describeIssues(parsed.error)}`, {
    hint: "A mixture is a list datasets of json_path, sampling_strategy, images, response_format and rows.",
  });
}

const filesOf = (pattern: string): string[] => (existsSync(pattern) ? [pattern] : expand(pattern));
