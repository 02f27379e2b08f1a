import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { readLines } from "../../../files/index.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import { imageFolder, locateFile, readDocument, within } from "../../dataset-files/index.ts";

interface AmberQuery {
  readonly id: string;
  readonly query: string;
  readonly image: string;
}

/** A question that is answered by yes or no. */
export interface JudgementItem extends BenchmarkItem, AmberQuery {
  readonly truth: "yes" | "no";
  readonly compat: boolean;
}

/** An image to describe. */
export interface DescriptionItem extends BenchmarkItem, AmberQuery {
  /** Objects that are there, and some that people are led to expect. */
  readonly truth: readonly string[];
  readonly hallu: readonly string[];
  readonly words: AmberWords;
}

/** The benchmark's vocabulary, shared by all items. */
interface AmberWords {
  /** Other words for an object. */
  readonly related: ReadonlyMap<string, readonly string[]>;
  /** Objects and their other words by their lower-case form ("tv": "TV"): nothing else is looked at. */
  readonly all: ReadonlyMap<string, string>;
  /** Words that are never held against an answer. */
  readonly safe: ReadonlySet<string>;
}

const querySchema = z.array(z.object({ id: z.int(), image: z.string(), query: z.string() }));
const truthSchema = z.array(
  z.object({
    id: z.int(),
    type: z.string(),
    truth: z.union([z.enum(["yes", "no"]), z.array(z.string())]),
    hallu: z.array(z.string()).optional(),
  }),
);

const inside = within(["data/", "", "amber/data/", "AMBER/data/"]);

type Truth = z.output<typeof truthSchema>[number];

async function* queries(data: string, name: string): AsyncGenerator<AmberQuery & { annotation: Truth }> {
  const path = locateFile(data, inside(`query/query_${name}.json`));
  const truthPath = locateFile(data, inside("annotations.json"));
  const rows = await readDocument(truthPath, truthSchema);
  const annotations = new Map(rows.map((row) => [row.id, row]));
  const folder = imageFolder(data, ["image", "images", "amber/image", "AMBER/image"]);
  for (const { id, image, query } of await readDocument(path, querySchema)) {
    const annotation = annotations.get(id);
    if (annotation === undefined)
      throw new LlavaError("data", `${truthPath}: lacks question ${id} of ${path}`, {
        hint: "Take both files from the same release.",
      });
    yield { id: String(id), query, image: join(folder, image), annotation };
  }
}

/** Files call hallucination what the paper calls existence, and some relations by that name alone. */
const dimensions: Readonly<Record<string, readonly [dimension: string, kind?: string]>> = {
  "discriminative-hallucination": ["existence"],
  "discriminative-attribute-state": ["attribute", "state"],
  "discriminative-attribute-number": ["attribute", "number"],
  "discriminative-attribute-action": ["attribute", "action"],
  "discriminative-relation": ["relation"],
  relation: ["relation"],
};

export async function* loadJudgements(options: DatasetOptions): AsyncGenerator<JudgementItem> {
  const { data, split = "all", compat = false } = options;
  const name = split === "all" ? "discriminative" : `discriminative-${split}`;
  for await (const { annotation, ...query } of queries(data, name)) {
    const { type, truth } = annotation;
    const [dimension, kind] = dimensions[type] ?? [];
    if (dimension === undefined || typeof truth !== "string")
      throw new LlavaError("data", `annotations.json: question ${query.id} is of type ${type}`, {
        hint: "Check that queries and annotations are of the same release.",
      });
    yield { ...query, labels: { dimension, ...(kind !== undefined && { kind }) }, truth, compat };
  }
}

export async function* loadDescriptions({ data }: DatasetOptions): AsyncGenerator<DescriptionItem> {
  const words = await readWords(data);
  for await (const { annotation, ...query } of queries(data, "generative")) {
    const { truth, hallu = [] } = annotation;
    if (typeof truth === "string")
      throw new LlavaError("data", `annotations.json: question ${query.id} has no objects`, {
        hint: "Check that queries and annotations are of the same release.",
      });
    yield { ...query, truth, hallu, words };
  }
}

async function readWords(data: string): Promise<AmberWords> {
  const path = locateFile(data, inside("relation.json"));
  const relation = await readDocument(path, z.record(z.string(), z.array(z.string())));
  const safe = new Set<string>();
  for await (const { text } of readLines(locateFile(data, inside("safe_words.txt")))) safe.add(text);
  const related = new Map(Object.entries(relation));
  const all = [...related].flatMap(([word, others]) => [word, ...others]);
  return { related, all: new Map(all.map((word) => [word.toLowerCase(), word])), safe };
}
