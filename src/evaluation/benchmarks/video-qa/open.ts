import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type Benchmark, benchmark, type Metric, type Outcome, type Verdict } from "../../benchmark.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { videoQuestion } from "../../prompting/index.ts";
import { readJudgements } from "./files.ts";
import { judge } from "./judge.ts";
import { loadOpen } from "./load-open.ts";
import type { OpenItem } from "./open-item.ts";
import { type OpenSet, openSets } from "./open-sets.ts";

const asked = (set: OpenSet, text: string): string =>
  set.bareQuestions ? `${text.charAt(0).toUpperCase()}${text.slice(1)}?` : text;

function shared(set: OpenSet) {
  return {
    source: set.source,
    files: [`<split>_q.json and <split>_a.json, or for the test split ${set.table}; ${set.videos[0]}/`],
    splits: set.splits,
    published: [],
    load: (options: Parameters<Benchmark["load"]>[0]) => loadOpen(set, options),
    asksAboutVideos: true,
    prompt: (item: OpenItem) =>
      videoQuestion(`${asked(set, item.question)} ${shortAnswerPrompt.trim()}`, item.video),
    sampling: { maxTokens: 64, temperature: 0 },
    // Video-ChatGPT's code and those after it keep the right answer as `answer`.
    answerField: "pred",
  };
}

/** Small letters, without space around it or a point at its end; compat takes answers as they are, as the original. */
const plain = (answer: string, { compat }: OpenItem): string =>
  compat ? answer : answer.trim().replace(/\.$/, "").toLowerCase();

/** Answers count where they are the right one, word by word. */
const exact = (set: OpenSet): Benchmark =>
  benchmark<OpenItem>({
    ...shared(set),
    name: set.name,
    title: set.title,
    headline: "accuracy",
    compat:
      "answers are compared as they are, and free questions divided by those of all but the first three types; as eval.py has it",
    outcome(item, answer): Outcome {
      const parsed = plain(answer, item);
      return {
        id: item.id,
        credit: parsed === item.answer ? 1 : 0,
        parsed: parsed === "" ? undefined : parsed,
        truth: item.answer,
        group: item.video.path,
        ...(item.labels && { labels: item.labels }),
        ...(item.compat && { values: { typesBefore: item.typesBefore } }),
      };
    },
    aggregate: exactMetrics,
  });

/** In compat, right answers to free questions are divided by the questions of all but the three types that the file begins with, as ActivityNet-QA's eval.py has it. */
const exactMetrics = (outcomes: readonly Outcome[]): readonly Metric[] =>
  accuracyByLabel(outcomes).map((metric) => {
    if (metric.name !== "accuracy/Free" || outcomes[0]?.values === undefined) return metric;
    const count = outcomes.filter(({ values }) => values!["typesBefore"]! >= 3).length;
    return { ...metric, value: (metric.value * metric.count) / Math.max(1, count), count };
  });

/** Answers count where a judge takes them for right; it also scores each from 0 to 5. */
const judged = (set: OpenSet): Benchmark =>
  benchmark<OpenItem>({
    ...shared(set),
    name: `${set.name}-judge`,
    title: `${set.title} (judged)`,
    headline: "accuracy",
    compat:
      "scores are cut to whole numbers, and answers that are neither yes nor no left out of the accuracy",
    outcome: judgedOutcome,
    aggregate: judgedMetrics,
    judge,
    readVerdicts: readJudgements,
  });

/** The original cuts scores off at the point, and leaves out of the accuracy what is neither yes nor no. */
function judgedOutcome(item: OpenItem, _answer: string, verdict?: Verdict): Outcome {
  const pred = String(verdict?.["pred"] ?? "").toLowerCase();
  const given = Number(verdict?.["score"] ?? Number.NaN);
  const known = pred.includes("yes") || pred.includes("no");
  return {
    id: item.id,
    credit: pred.includes("yes") ? 1 : 0,
    parsed: known ? pred : undefined,
    truth: item.answer,
    group: item.video.path,
    ...(item.labels && { labels: item.labels }),
    ...(verdict && {
      values: { score: item.compat ? Math.trunc(given) : given, counted: known || !item.compat ? 1 : 0 },
    }),
  };
}

function judgedMetrics(outcomes: readonly Outcome[]): readonly Metric[] {
  const verdicts = outcomes.filter(({ values }) => values !== undefined);
  const total = verdicts.reduce((sum, { values }) => sum + values!["score"]!, 0);
  const [accuracy, ...slices] = accuracyByLabel(verdicts.filter(({ values }) => values!["counted"] === 1));
  const score: Metric = {
    name: "score",
    value: verdicts.length === 0 ? 0 : total / verdicts.length,
    count: verdicts.length,
    digits: 2,
  };
  return [accuracy!, score, ...slices];
}

export default openSets.flatMap((set) => [exact(set), judged(set)]);
