import { globSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { firstLineFits } from "../../../files/index.ts";
import { letterPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  check,
  findFile,
  jsonLineBytes,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { chosenOption } from "../../parsing/index.ts";
import { letteredOptions, question } from "../../prompting/index.ts";
import { modelZooScores, publishedScores } from "../../published-scores.ts";
import { choiceFields, leaderboardRows } from "../seed-2/leaderboard.ts";

interface SeedItem extends BenchmarkItem {
  readonly question?: string;
  readonly options?: readonly string[];
  readonly image?: string;
  readonly answer: string;
  readonly compat?: boolean;
}

const id = z.union([z.string(), z.number()]).transform(String);
const datasetSchema = z.object({
  question_type: z.record(z.string(), z.int()),
  questions: z.array(
    z.object({
      question_id: id,
      question_type_id: z.int(),
      data_type: z.enum(["image", "video"]),
      data_id: z.string(),
      ...choiceFields,
    }),
  ),
});
const answerSchema = z.object({ question_id: id, gt_answer: z.string() });

const datasetFiles = ["SEED-Bench.json", "seed_bench/SEED-Bench.json"];
const layouts = [
  { columns: ["question_id", "question", "choice_a", "choice_d", "answer"] },
  { columns: ["index", "question", "A", "D", "answer"] },
];

/** The dataset's file, a table made of it, or a leaderboard's file, whatever its name, which holds right answers alone. */
async function itemsOf(data: string): Promise<AsyncIterable<SeedItem>> {
  const listed = findFile(data, datasetFiles);
  const leaderboard =
    listed !== undefined && !(await isLeaderboard(listed)) ? undefined : await findLeaderboard(data);
  if (leaderboard !== undefined) return answers(leaderboard);
  const source = await locateQuestions(data, "test", datasetFiles, layouts);
  return "table" in source ? tableItems(source.table) : questions(source.path);
}

const isLeaderboard = (path: string): Promise<boolean> => firstLineFits(path, answerSchema);

/** The one file of rows with gt_answer. @throws LlavaError "data" where there are several */
async function findLeaderboard(data: string): Promise<string | undefined> {
  const found: string[] = [];
  for (const path of jsonFilesIn(data)) if (await isLeaderboard(path)) found.push(path);
  if (found.length > 1)
    throw new LlavaError(
      "data",
      `${resolve(data)}: several files hold right answers: ${found.map((path) => basename(path)).join(", ")}`,
      {
        hint: "Give one of them with --data.",
      },
    );
  return found[0];
}

function jsonFilesIn(data: string): string[] {
  const stat = statSync(data, { throwIfNoEntry: false });
  if (stat?.isFile()) return [resolve(data)];
  return stat?.isDirectory() ? globSync(join(resolve(data), "*.json{,l}")).sort() : [];
}

/** lmms-lab's table, and VLMEvalKit's of the questions about images. */
async function* tableItems(table: TableFiles): AsyncGenerator<SeedItem> {
  for await (const row of tableRows(table)) {
    const image = row.image();
    const columns = ["choice_a", "choice_b", "choice_c", "choice_d"];
    const isLettered = row.values["choice_a"] === undefined;
    yield {
      id: row.text("question_id", "index"),
      labels: {
        modality: row.optionalText("data_type") ?? "image",
        type: row.optionalText("category", "question_type_id") ?? "",
      },
      question: row.text("question"),
      options: isLettered ? row.letteredOptions() : columns.map((name) => row.text(name)),
      ...(image !== undefined && { image }),
      answer: row.text("answer"),
    };
  }
}

async function* load({ data, split = "all", compat = false }: DatasetOptions): AsyncGenerator<SeedItem> {
  const seen = new Set<string>();
  for await (const item of await itemsOf(data)) {
    // The dataset and the leaderboard's files repeat some questions.
    if (seen.has(item.id) || (split !== "all" && split !== item.labels?.["modality"])) continue;
    seen.add(item.id);
    yield { ...item, compat };
  }
}

async function* questions(path: string): AsyncGenerator<SeedItem> {
  const { question_type, questions: rows } = await readDocument(path, datasetSchema);
  const types = new Map(Object.entries(question_type).map(([name, number]) => [number, name]));
  for (const row of rows) {
    // Of a video, the frame in its middle, as a file of its own.
    const file =
      row.data_type === "image"
        ? `SEED-Bench-image/${row.data_id}`
        : `SEED-Bench-video-image/${row.question_type_id}_${row.question_id}.png`;
    yield {
      id: row.question_id,
      labels: {
        modality: row.data_type,
        type: types.get(row.question_type_id) ?? String(row.question_type_id),
      },
      question: row.question,
      options: [row.choice_a, row.choice_b, row.choice_c, row.choice_d],
      image: join(path, "..", file),
      answer: row.answer,
    };
  }
}

/** The leaderboard's files: predictions beside right answers, a line each, some with a comma at its end. */
async function* answers(path: string): AsyncGenerator<SeedItem> {
  for await (const { value, where } of leaderboardRows(path)) {
    const row = check(answerSchema, value, where);
    const modality = row.question_id.startsWith("v") ? "video" : "image";
    yield { id: row.question_id, labels: { modality }, answer: row.gt_answer };
  }
}

/** Only the letters of options, where a file holds answers alone. */
const unknownOptions = ["", "", "", ""];

export default benchmark<SeedItem>({
  name: "seed",
  title: "SEED-Bench",
  source: 'Li et al. 2023, "SEED-Bench: Benchmarking Multimodal LLMs with Generative Comprehension"',
  files: [
    "SEED-Bench.json (or a table of lmms-lab or VLMEvalKit; to score only, a leaderboard file with gt_answer)",
  ],
  splits: ["all", "image", "video"],
  headline: "accuracy",
  published: [
    ...modelZooScores({ accuracy: [58.6, 61.6, 60.1, 61.3] }),
    ...publishedScores("accuracy/image", "LLaVA-NeXT blog, January 2024", { "LLaVA-1.5 13B": 68.2 }),
    ...modelZooScores({ "accuracy/image": [null, null, null, null, 70.2, 71.9, 72.2, 75.9] }),
  ],
  load,
  prompt: (item) =>
    item.question === undefined || item.image === undefined
      ? []
      : question(`${item.question}\n${letteredOptions(item.options ?? [])}${letterPrompt}`, item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  compat: "nothing but the letter alone is read, as by LLaVA 1.2's convert_seed_for_submission.py",
  outcome({ id: itemId, labels = {}, answer: truth, options = unknownOptions, compat }, answer) {
    const parsed = compat ? /^[A-D]$/.exec(answer)?.[0] : chosenOption(answer, options);
    return { id: itemId, labels, parsed, truth, credit: parsed === truth ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  repeatsQuestions: true,
  submission: {
    file: "seed-bench.jsonl",
    write: async (items, given) =>
      jsonLineBytes(items.map(({ id }) => ({ question_id: id, prediction: given.get(id) ?? "" }))),
  },
});
