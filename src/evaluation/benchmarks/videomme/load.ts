import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { VideoFile } from "../../../protocol/index.ts";
import type { Answer, BenchmarkItem, DatasetOptions } from "../../benchmark.ts";
import {
  check,
  documentReader,
  findFile,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
  videoFiles,
  within,
} from "../../dataset-files/index.ts";

export interface VideoMmeItem extends BenchmarkItem {
  readonly question: string;
  /** With their letters: "A. Inkstone." */
  readonly options: readonly string[];
  readonly video: VideoFile;
  readonly videoId: string;
  readonly answer: string;
  /** What is said, a line each; undefined where the benchmark is asked without, null for a video that has none. */
  readonly subtitles?: string | null;
  readonly compat: boolean;
}

const rowSchema = z.looseObject({
  video_id: z.string(),
  duration: z.string(),
  domain: z.string(),
  sub_category: z.string(),
  videoID: z.string(),
  question_id: z.string(),
  task_type: z.string(),
  question: z.string(),
  options: z.array(z.string()),
  answer: z.string(),
});

const questionSchema = z.object({
  question_id: z.string(),
  task_type: z.string(),
  question: z.string(),
  options: z.array(z.string()).optional(),
  choices: z.array(z.string()).optional(),
  answer: z.string(),
  response: z.string().optional(),
});

/** The form in which results are scored, in its two namings. */
const videosSchema = z.array(
  z.object({
    video_id: z.string(),
    duration: z.string().optional(),
    duration_category: z.string().optional(),
    domain: z.string().optional(),
    video_category: z.string().optional(),
    sub_category: z.string().optional(),
    video_subcategory: z.string().optional(),
    questions: z.array(questionSchema),
  }),
);

const inside = within(["", "videomme/", "Video-MME/videomme/", "evaluation/"]);
const layouts = [
  { columns: ["question_id", "videoID", "question", "options", "answer"] },
  { columns: ["index", "video", "question", "candidates", "answer"] },
];
const template = inside("output_test_template.json");

type Row = Omit<VideoMmeItem, "subtitles" | "compat" | "video">;

/** Questions of the dataset's parquet file, or of the template for results, which has no video's address. */
export async function* loadVideoMme(
  options: DatasetOptions,
  withSubtitles: boolean,
): AsyncGenerator<VideoMmeItem> {
  const { data, split = "all", compat = false } = options;
  const source = await locateQuestions(data, "test", template, layouts);
  const videoOf = videoFiles(data, ["data", "video", "videos"]);
  for await (const row of "table" in source ? rowsOf(source.table) : questionsOf(source.path)) {
    if (split !== "all" && row.labels?.["duration"] !== split) continue;
    const subtitles = withSubtitles ? { subtitles: await readSubtitles(data, row.videoId) } : {};
    yield { ...row, video: videoOf(row.videoId), ...subtitles, compat };
  }
}

/** The tables of lmms-lab, and VLMEvalKit's, which have options in one cell. */
async function* rowsOf(table: TableFiles): AsyncGenerator<Row> {
  for await (const cells of tableRows(table)) {
    const { values } = cells;
    const renamed = {
      ...values,
      options: cells.list("options") ?? cells.list("candidates"),
      question_id: cells.text("index", "question_id"),
      videoID: values["videoID"] ?? values["video"],
      video_id: values["video_id"] ?? values["video"],
    };
    const row = check(rowSchema, renamed, cells.where);
    const labels = {
      duration: row.duration,
      domain: row.domain,
      subCategory: row.sub_category,
      task: row.task_type,
    };
    const { question, options, answer } = row;
    yield { id: row.question_id, labels, question, options, answer, videoId: row.videoID };
  }
}

async function* questionsOf(path: string): AsyncGenerator<Row> {
  for (const video of await readDocument(path, videosSchema))
    for (const { question_id: id, task_type: task, question, answer, ...row } of video.questions) {
      const labels = {
        duration: video.duration ?? video.duration_category ?? "",
        domain: video.domain ?? video.video_category ?? "",
        subCategory: video.sub_category ?? video.video_subcategory ?? "",
        task,
      };
      const options = row.options ?? row.choices ?? [];
      yield { id, labels, question, options, answer, videoId: video.video_id };
    }
}

/** The responses of a file of results. */
export const readVideoMmePredictions = documentReader(videosSchema, (videos): Answer[] =>
  videos.flatMap(({ questions }) =>
    questions.flatMap(({ question_id: id, response: text }) => (text === undefined ? [] : [{ id, text }])),
  ),
);

/** The words of a SubRip file without numbers, times and tags; null where the video has none. */
async function readSubtitles(data: string, videoId: string): Promise<string | null> {
  const path = findFile(data, [`subtitle/${videoId}.srt`, `subtitles/${videoId}.srt`]);
  if (path === undefined) return null;
  const blocks = (await readFile(path, "utf8"))
    .replace(/\r/g, "")
    .trim()
    .split(/\n{2,}/);
  return blocks
    .map((block) => block.replace(/^\d+\n/, "").replace(/^[\d:,]+ --> .*\n?/, ""))
    .map((text) =>
      text
        .replace(/<[^>]*>/g, "")
        .replace(/\s+/g, " ")
        .trim(),
    )
    .filter((text) => text !== "")
    .join("\n");
}
