import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { firstLineFits } from "../../../files/index.ts";
import type { BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import { check, findFile, readDocument } from "../../dataset-files/index.ts";
import { choiceFields, leaderboardRows } from "./leaderboard.ts";

export interface Seed2Item extends BenchmarkItem {
  /** Undefined where the folder holds only a leaderboard's file. */
  readonly question?: string;
  readonly options: readonly string[];
  /** Those of the question, and those of its options where they are images; paths. */
  readonly images: readonly string[];
  readonly shownOptions: readonly string[];
  readonly answer: string;
  readonly compat: boolean;
}

/** The evaluation dimensions by their number, the first half of a question's id; levels end with 22, 24 and 27. */
const dimensions: readonly string[] = [
  "Scene Understanding",
  "Instance Identity",
  "Instance Attributes",
  "Instance Location",
  "Instances Counting",
  "Spatial Relation",
  "Instance Interaction",
  "Visual Reasoning",
  "Text Understanding",
  "Celebrity Recognition",
  "Landmark Recognition",
  "Chart Understanding",
  "Visual Referring Expression",
  "Science Knowledge",
  "Emotion Recognition",
  "Visual Mathematics",
  "Difference Spotting",
  "Meme Comprehension",
  "Global Video Understanding",
  "Action Recognition",
  "Action Prediction",
  "Procedure Understanding",
  "In-Context Captioning",
  "Interleaved Image-Text Analysis",
  "Text-to-Image Generation",
  "Next Image Prediction",
  "Text-Image Creation",
];

/** A level holds those below it. */
export const lastDimension: Readonly<Record<string, number>> = { L2: 24, L1: 22, L3: 27 };

const parts: readonly (readonly [last: number, part: string])[] = [
  [16, "single image"],
  [18, "multiple images"],
  [22, "video"],
  [24, "interleaved"],
  [26, "image generation"],
  [27, "image and text generation"],
];

function labelsOf(dimension: number): Readonly<Record<string, string>> {
  const part = parts.find(([last]) => dimension <= last)?.[1] ?? "";
  return { part, dimension: dimensions[dimension - 1] ?? String(dimension) };
}

const rowSchema = z.looseObject({
  question_id: z.string(),
  question_type_id: z.int(),
  ...choiceFields,
  data_source: z.string().optional(),
  data_id: z.union([z.string(), z.array(z.string())]),
});
const datasetSchema = z.union([
  z.array(rowSchema),
  z.looseObject({ questions: z.array(rowSchema) }).transform(({ questions }) => questions),
]);
const truthSchema = z.looseObject({ question_id: z.string(), gt_answer: z.string() });

const datasetFiles = ["SEED-Bench_v2_level1_2_3.json", "SEED-Bench-2/SEED-Bench_v2_level1_2_3.json"];

/** Questions of the dataset; without it, the right answers in a leaderboard's file. Repeated questions count once. */
export async function* loadSeed2(options: DatasetOptions): AsyncGenerator<Seed2Item> {
  const { data, split = "L2", compat = false } = options;
  const leaderboard = await findLeaderboard(data);
  const dataset = leaderboard === undefined ? findFile(data, datasetFiles) : undefined;
  const items = dataset === undefined ? truths(data, leaderboard) : questions(dataset, data);
  const seen = new Set<string>();
  for await (const { dimension, ...item } of items) {
    if (seen.has(item.id) || dimension > lastDimension[split]!) continue;
    seen.add(item.id);
    yield { ...item, labels: labelsOf(dimension), compat };
  }
}

type Loaded = Omit<Seed2Item, "compat" | "labels"> & { readonly dimension: number };

async function* questions(path: string, data: string): AsyncGenerator<Loaded> {
  for (const row of await readDocument(path, datasetSchema)) {
    const options = [row.choice_a, row.choice_b, row.choice_c, row.choice_d];
    const files = [row.data_id].flat().map((name) => imageFile(data, row.data_source, name));
    // What is generated are pictures: the last four are the options'.
    const ofOptions = row.question_type_id > lastDimension["L2"]! ? options.length : 0;
    yield {
      id: row.question_id,
      dimension: row.question_type_id,
      question: row.question,
      options,
      images: files.slice(0, files.length - ofOptions),
      shownOptions: files.slice(files.length - ofOptions),
      answer: row.answer,
    };
  }
}

function imageFile(data: string, source: string | undefined, name: string): string {
  const folders =
    source === "cc3m" ? ["cc3m-image", "seed_bench_image"] : ["SEED-Bench-2-image", "seed_bench_image_v2"];
  const candidates = folders.map((folder) => `${folder}/${name}`);
  return candidates.map((path) => resolve(data, path)).find(existsSync) ?? resolve(data, candidates[0]!);
}

/** A file of the leaderboard, which is known by its rows. */
async function findLeaderboard(data: string): Promise<string | undefined> {
  const isFile = statSync(data, { throwIfNoEntry: false })?.isFile() ?? false;
  const files = isFile
    ? [resolve(data)]
    : existsSync(data)
      ? readdirSync(data, { withFileTypes: true })
          .filter((entry) => entry.isFile() && /\.jsonl?$/.test(entry.name))
          .map(({ name }) => join(resolve(data), name))
          .sort()
      : [];
  for (const path of files) if (await firstLineFits(path, truthSchema)) return path;
  return undefined;
}

async function* truths(data: string, path: string | undefined): AsyncGenerator<Loaded> {
  if (path === undefined)
    throw new LlavaError("data", `${resolve(data)}: holds none of ${datasetFiles.join(", ")}`, {
      hint: "Point --data to the folder of the dataset's original files, or to score only, to a leaderboard's file with gt_answer.",
    });
  for await (const { value, where } of leaderboardRows(path)) {
    const { question_id: id, gt_answer: answer } = check(truthSchema, value, where);
    const dimension = Number(/^(\d+)_/.exec(id)?.[1] ?? 0);
    yield { id, dimension, options: ["", "", "", ""], images: [], shownOptions: [], answer };
  }
}
