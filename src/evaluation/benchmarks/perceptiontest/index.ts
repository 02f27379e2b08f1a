import { z } from "zod";
import { letterPrompt, type VideoFile } from "../../../protocol/index.ts";
import { type Answer, type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  documentReader,
  jsonBytes,
  locateQuestions,
  readDocument,
  type TableFiles,
  tableRows,
  videoFiles,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { chosenOption } from "../../parsing/index.ts";
import { letteredOptions, letters, videoQuestion } from "../../prompting/index.ts";
import { known } from "../../scoring/index.ts";

interface PerceptionItem extends BenchmarkItem {
  readonly videoId: string;
  /** Of the questions about the video. */
  readonly number: number;
  readonly question: string;
  readonly options: readonly string[];
  readonly video: VideoFile;
  readonly answer?: number | undefined;
  readonly compat: boolean;
}

const schema = z.record(
  z.string(),
  z.object({
    mc_question: z.array(
      z.object({
        id: z.int(),
        question: z.string(),
        options: z.array(z.string()),
        answer_id: z.int().optional(),
        area: z.string().optional(),
        reasoning: z.string().optional(),
      }),
    ),
  }),
);

/** The annotations' names of splits. */
const splits: Readonly<Record<string, string>> = { val: "valid", test: "test" };
const inside = within(["", "data/", "perception_test/"]);

async function* load({
  data,
  split = "val",
  compat = false,
}: DatasetOptions): AsyncGenerator<PerceptionItem> {
  const originals = [
    ...inside(`mc_question_${splits[split]}.json`),
    ...inside(`mc_question_${splits[split]}_annotations/mc_question_${splits[split]}.json`),
  ];
  const source = await locateQuestions(data, split, originals, layouts);
  if ("table" in source) return yield* tableItems(data, source.table, compat);
  const { path } = source;
  const videoOf = videoFiles(data, [...inside(`${splits[split]}/videos`), ...inside("videos")]);
  const videos = await readDocument(path, schema);
  for (const [videoId, { mc_question }] of Object.entries(videos))
    for (const row of mc_question) {
      const { id: number, question: text, options, answer_id, area, reasoning } = row;
      const labels = area === undefined || reasoning === undefined ? {} : { area, reasoning };
      yield {
        id: `${videoId}/${number}`,
        labels,
        videoId,
        number,
        question: text,
        options,
        video: videoOf(videoId),
        answer: answer_id,
        compat,
      };
    }
}

const layouts = [
  { columns: ["video_name", "question_id", "question", "options"], folder: /^mc_question(_val)?\// },
];

/** lmms-lab's tables. */
async function* tableItems(data: string, table: TableFiles, compat: boolean): AsyncGenerator<PerceptionItem> {
  const videoOf = videoFiles(data, inside("videos"));
  for await (const row of tableRows(table)) {
    const videoId = row.text("video_name");
    const number = Number(row.text("question_id"));
    const answer = row.optionalText("answer_id");
    const [area, reasoning] = [row.optionalText("area"), row.optionalText("reasoning")];
    yield {
      id: `${videoId}/${number}`,
      labels: area === undefined || reasoning === undefined ? {} : { area, reasoning },
      videoId,
      number,
      question: row.text("question"),
      options: row.list("options") ?? [],
      video: videoOf(videoId),
      answer: answer === undefined ? undefined : Number(answer),
      compat,
    };
  }
}

/** lmms-eval 0.2.0 takes nothing but the letter alone; later versions any letter that stands alone. */
const read = (answer: string, { options, compat }: PerceptionItem): string | undefined =>
  compat ? /^[ABC]$/.exec(answer)?.[0] : chosenOption(answer, options);

const submissionSchema = z.record(
  z.string(),
  z.array(z.object({ id: z.int(), answer_id: z.int().min(0).max(2) })),
);

/** The server's form: the number of the option for each question of a video. */
const readPredictions = documentReader(submissionSchema, (videos): Answer[] =>
  Object.entries(videos).flatMap(([videoId, rows]) =>
    rows.map(({ id, answer_id }) => ({ id: `${videoId}/${id}`, text: letters[answer_id]! })),
  ),
);

export default benchmark<PerceptionItem>({
  name: "perceptiontest",
  title: "Perception Test (multiple choice)",
  source:
    'Pătrăucean et al. 2023, "Perception Test: A Diagnostic Benchmark for Multimodal Video Models"; github.com/google-deepmind/perception_test',
  files: ["mc_question_valid.json (or mc_question_test.json) and videos/"],
  splits: ["val", "test"],
  headline: "accuracy",
  published: [],
  compat: "nothing but the letter alone is read, as by lmms-eval 0.2.0",
  load,
  asksAboutVideos: true,
  prompt: (item) =>
    videoQuestion(`${item.question}\n${letteredOptions(item.options)}${letterPrompt}`, item.video),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome(item, answer) {
    const { id, labels = {}, options, videoId } = item;
    const right = known(item.answer, id);
    const parsed = read(answer, item);
    const truth = `${letters[right]}. ${options[right]}`;
    return { id, labels, parsed, truth, group: videoId, credit: parsed === letters[right] ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  readPredictions,
  submission: {
    file: "perception-test.json",
    async write(items, answers) {
      const videos: Record<string, { id: number; answer_id: number; answer: string }[]> = {};
      for (const item of items) {
        // The server wants an option for each question: the first where the answer names none.
        const index = Math.max(0, letters.indexOf(read(answers.get(item.id) ?? "", item) ?? ""));
        videos[item.videoId] ??= [];
        videos[item.videoId]!.push({ id: item.number, answer_id: index, answer: item.options[index]! });
      }
      return jsonBytes(videos);
    },
  },
});
