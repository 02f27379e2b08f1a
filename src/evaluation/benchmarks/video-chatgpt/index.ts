import { benchmark, type Metric, type Outcome, type Verdict } from "../../benchmark.ts";
import { videoQuestion } from "../../prompting/index.ts";
import { readJudgements } from "../video-qa/files.ts";
import { dimensions, type VideoChatGptItem } from "./item.ts";
import { judge } from "./judge.ts";
import { loadVideoChatGpt } from "./load.ts";
import { readPredictions } from "./predictions.ts";

/** Of a pair, the first outcome holds the score; the second never stands out. The original cuts scores off at the point. */
function outcome(item: VideoChatGptItem, _answer: string, verdict?: Verdict): Outcome {
  const { id, answer: truth, isParaphrase, compat } = item;
  const group = item.video.path;
  if (isParaphrase) return { id, credit: 1, parsed: "judged with the first question", truth, group };
  if (verdict === undefined) return { id, credit: 0, truth, group };
  const given = Number(verdict["score"]);
  const score = compat ? Math.trunc(given) : given;
  return { id, credit: score / 5, parsed: String(score), truth, group, values: { score } };
}

/** The mean score of the dimension, from 0 to 5. */
function aggregate(outcomes: readonly Outcome[]): readonly Metric[] {
  const scores = outcomes.flatMap(({ values }) => values?.["score"] ?? []);
  const mean = scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
  return [{ name: "score", value: mean, count: scores.length, digits: 2 }];
}

export default benchmark<VideoChatGptItem>({
  name: "video-chatgpt",
  title: "Video-ChatGPT",
  source:
    "Maaz et al. 2023, arXiv:2306.05424, section 4: five dimensions, a split each; published means are over all five",
  files: [
    "generic_qa.json, temporal_qa.json and consistency_qa.json, or Generic_QA.csv, Temporal_QA.csv, Consistency_QA1.csv and Consistency_QA2.csv; Test_Videos/",
  ],
  splits: dimensions,
  headline: "score",
  compat: "scores are cut to whole numbers, and the judge is shown the first of two questions twice",
  published: [],
  load: loadVideoChatGpt,
  asksAboutVideos: true,
  prompt: (item) => videoQuestion(item.question, item.video),
  sampling: { maxTokens: 1024, temperature: 0 },
  outcome,
  aggregate,
  judge,
  readPredictions,
  readVerdicts: readJudgements,
});
