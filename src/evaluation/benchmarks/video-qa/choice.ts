import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { letterPrompt, type VideoFile } from "../../../protocol/index.ts";
import {
  type Answer,
  type Benchmark,
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
} from "../../benchmark.ts";
import { check, documentReader, locateQuestions, tableRows } from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { letteredOptions, letters, videoQuestion } from "../../prompting/index.ts";
import { chosenLetter } from "../mmmu/choice.ts";
import { type ChoiceSet, choiceSets } from "./choice-sets.ts";
import { nextQaVideos } from "./nextqa-videos.ts";

interface ChoiceItem extends BenchmarkItem {
  readonly question: string;
  readonly options: readonly string[];
  readonly video: VideoFile;
  /** Letter of the right option. */
  readonly answer: string;
}

/** NExT-QA's own columns, or those of IG-VLM's tables, where the answer is the option's text. */
const ownSchema = z.object({ video: z.string(), qid: z.string(), type: z.string(), answer: z.string() });
const tableSchema = z
  .object({
    video_name: z.string(),
    question_id: z.string(),
    question_type: z.string(),
    answer: z.string(),
    answer_number: z.string().optional(),
  })
  .transform((row) => ({
    video: row.video_name,
    id: row.question_id,
    type: row.question_type,
    answer: row.answer_number ?? row.answer,
  }));
const textSchema = z.object({ question: z.string() });

async function* load(set: ChoiceSet, options: DatasetOptions): AsyncGenerator<ChoiceItem> {
  const { data, split = Object.keys(set.files)[0]! } = options;
  const source = await locateQuestions(data, split, set.files[split] ?? [], [
    { columns: ["video", "qid", "type", "question", "answer", ...set.options] },
    { columns: ["video_name", "question_id", "question_type", "question", "answer", ...set.options] },
  ]);
  const paths = "table" in source ? source.table.paths : [source.path];
  const videoOf = await nextQaVideos(data, set.videos);
  for await (const { values: cells, where } of tableRows({ paths })) {
    const values = textCells(cells);
    const own = ownSchema.safeParse(values);
    const row = own.success
      ? { ...own.data, id: `${own.data.video}_${own.data.qid}` }
      : check(tableSchema, values, where);
    const offered = set.options.map((column) =>
      check(z.string(), values[column], `${where}: ${column}`).trim(),
    );
    yield {
      id: row.id,
      labels: set.labels(row.type),
      question: check(textSchema, values, where).question.trim(),
      options: offered,
      video: videoOf(row.video),
      answer: rightLetter(row.answer, offered, where),
    };
  }
}

/** Parquet files have numbers where the original tables have their digits. */
const textCells = (cells: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(cells).flatMap(([name, cell]) =>
      cell === null || typeof cell === "object" ? [] : [[name, String(cell)]],
    ),
  );

/** By the option's number, or by its text. */
function rightLetter(answer: string, offered: readonly string[], where: string): string {
  const place =
    /^\d$/.test(answer) && !offered.includes(answer) ? Number(answer) : offered.indexOf(answer.trim());
  const letter = place < offered.length ? letters[place] : undefined;
  if (letter !== undefined) return letter;
  throw new LlavaError("data", `${where}: "${answer}" is none of the options`, {
    hint: "Check that this is the dataset's original file.",
  });
}

const predictionsSchema = z.record(z.string(), z.object({ prediction: z.int().nonnegative() }));

/** NExT-QA's results: {"<video>_<qid>": {prediction, answer}} with options by number. */
const readPredictions = documentReader(predictionsSchema, (rows): Answer[] =>
  Object.entries(rows).map(([id, { prediction }]) => ({ id, text: letters[prediction] ?? "" })),
);

const variant = (set: ChoiceSet): Benchmark =>
  benchmark<ChoiceItem>({
    name: set.name,
    title: set.title,
    source: set.source,
    files: Object.values(set.files).map((names) => `${names[0]}; ${set.videos[0]}/`),
    splits: Object.keys(set.files),
    headline: "accuracy",
    published: [],
    load: (options) => load(set, options),
    asksAboutVideos: true,
    prompt: (item) =>
      videoQuestion(`${item.question}\n${letteredOptions(item.options)}${letterPrompt}`, item.video),
    sampling: { maxTokens: 16, temperature: 0 },
    outcome({ id, labels = {}, options, answer: truth, video }, answer) {
      const offered = Object.fromEntries(options.map((option, index) => [letters[index]!, option]));
      const parsed = chosenLetter(answer.trim(), offered, true);
      return { id, labels, parsed, truth, group: video.path, credit: parsed === truth ? 1 : 0 };
    },
    aggregate: (outcomes) => accuracyByLabel(outcomes),
    readPredictions,
  });

export default choiceSets.map(variant);
