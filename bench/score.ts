/**
 * Scoring many answers to VQA v2 questions, ten people's answers each, from files as the dataset has them: seconds from
 * reading the first file to the score with its interval, those of the processor (all threads, which other load on the
 * machine changes less), and the peak of resident memory.
 *
 *   node bench/score.ts [--answers 1000000] [--folder PATH] [--json]
 *
 * The files (about 1 GB for a million answers) are written first, to a temporary folder or to --folder, where they stay.
 */
import { execFileSync } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findBenchmark, readAnswers, score } from "../src/evaluation/index.ts";

const { values: options } = parseArgs({
  options: {
    answers: { type: "string", default: "1000000" },
    folder: { type: "string" },
    json: { type: "boolean", default: false },
    // What this program calls itself with, so that memory of generating the files is not counted.
    measure: { type: "boolean", default: false },
  },
});
const count = Number(options.answers);
const questionsFile = "v2_OpenEnded_mscoco_val2014_questions.json";
const annotationsFile = "v2_mscoco_val2014_annotations.json";
const answersFile = "answers.jsonl";

const words = [
  "yes",
  "no",
  "2",
  "two",
  "red",
  "a dog",
  "tennis racket",
  "on the table",
  "dont know",
  "3:30 p.m.",
];
const types = ["yes/no", "number", "other"];
const confidences = ["yes", "maybe", "no"];

/** A number below `range` from a question's number, the same each time. */
const pick = (question: number, salt: number, range: number): number =>
  (Math.imul(question * 31 + salt * 17 + 7, 2_654_435_761) >>> 8) % range;

/** Frequent words, and one in ten that is nearly unique. */
const word = (question: number, salt: number): string => {
  const common = words[pick(question, salt, words.length)]!;
  return pick(question, salt + 50, 10) === 0 ? `${common} ${pick(question, salt, 5000)}` : common;
};

const questionRow = (id: number) =>
  JSON.stringify({
    image_id: id >> 2,
    question: `What is number ${id % 977} in the picture?`,
    question_id: id,
  });

function annotationRow(id: number): string {
  const answers = Array.from({ length: 10 }, (_, person) => ({
    answer: word(id, person % 4),
    answer_confidence: confidences[pick(id, person, 3)],
    answer_id: person + 1,
  }));
  const about = { question_type: "what is", multiple_choice_answer: answers[0]!.answer, answers };
  return JSON.stringify({ ...about, image_id: id >> 2, answer_type: types[id % 3], question_id: id });
}

const answerRow = (id: number) =>
  JSON.stringify({
    question_id: id,
    prompt: "",
    text: word(id, pick(id, 99, 5)),
    answer_id: String(id),
    model_id: "made-up",
    metadata: {},
  });

/** Rows with what stands before, between and after them, some thousand at a time. */
function* pieces(
  before: string,
  row: (id: number) => string,
  between: string,
  after: string,
): Generator<string> {
  yield before;
  for (let id = 0; id < count; id += 4096) {
    const rows = Array.from({ length: Math.min(4096, count - id) }, (_, index) => row(id + index));
    yield `${id > 0 ? between : ""}${rows.join(between)}`;
  }
  yield after;
}

async function generate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = [
    [questionsFile, pieces('{"info": {}, "questions": [', questionRow, ", ", "]}")],
    [annotationsFile, pieces('{"info": {}, "annotations": [', annotationRow, ", ", "]}")],
    [answersFile, pieces("", answerRow, "\n", "\n")],
  ] as const;
  for (const [name, content] of files) {
    const path = join(folder, name);
    if (!existsSync(path)) await pipeline(Readable.from(content), createWriteStream(path));
  }
}

async function measure(data: string): Promise<void> {
  const benchmark = await findBenchmark("vqav2");
  const start = performance.now();
  const cpu = process.cpuUsage();
  const answers = await readAnswers(benchmark, join(data, answersFile));
  const read = performance.now();
  const { result } = await score({ benchmark, load: { data, split: "val" }, answers, model: "made-up" });
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  const [headline] = result.scores;
  const figures = {
    answers: result.counts.scored,
    seconds: (end - start) / 1000,
    reading: (read - start) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    score: headline!.value,
    interval: [headline!.low, headline!.high],
  };
  console.log(JSON.stringify(figures));
}

if (options.measure) await measure(options.folder!);
else {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "llava-bench-score-")));
  try {
    await generate(folder);
    const args = [fileURLToPath(import.meta.url), "--measure", "--folder", folder];
    const output = execFileSync(process.execPath, args, { encoding: "utf8", maxBuffer: 2 ** 24 });
    if (options.json) process.stdout.write(output);
    else {
      const { answers, seconds, reading, cpuSeconds, peakMiB, score, interval } = JSON.parse(output);
      const [low, high] = interval.map((value: number) => value.toFixed(2));
      console.log(
        `${answers} answers: ${seconds.toFixed(1)} s, ${reading.toFixed(1)} s of them for reading the answers; ${cpuSeconds.toFixed(1)} s of the processor`,
      );
      console.log(`peak memory ${Math.round(peakMiB)} MiB; score ${score.toFixed(2)} [${low}, ${high}]`);
    }
  } finally {
    if (options.folder === undefined) await rm(folder, { recursive: true });
  }
}
