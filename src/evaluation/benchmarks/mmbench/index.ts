import { letterPrompt } from "../../../protocol/index.ts";
import { type Benchmark, benchmark, type Published } from "../../benchmark.ts";
import { writeWorkbook } from "../../dataset-files/index.ts";
import { chineseLetterPrompt, question } from "../../prompting/index.ts";
import { modelZooScores, publishedScores } from "../../published-scores.ts";
import { known } from "../../scoring/index.ts";
import { readChoice } from "./choice.ts";
import { aggregateCircular } from "./circular.ts";
import { mmBenchJudge } from "./judge.ts";
import { loadMmBench, type MmBenchItem } from "./load.ts";

/** The original columns but hint, category, source, image, comment and l2-category, with the prediction before the answer. */
const columns = ["index", "question", "A", "B", "C", "D", "prediction", "answer", "split"];

function variant(
  name: string,
  title: string,
  suffix: string,
  files: Readonly<Record<string, readonly string[]>>,
  published: readonly Published[],
): Benchmark {
  return benchmark<MmBenchItem>({
    name,
    title,
    source:
      'Liu et al. 2023, "MMBench: Is Your Multi-modal Model an All-around Player?"; versions of July and October 2023',
    files: Object.values(files).map((names) => names.join(" or ")),
    splits: Object.keys(files),
    headline: "accuracy",
    published,
    load: (options) => loadMmBench(options, files[options.split ?? "dev"] ?? files["dev"]!),
    prompt({ hint, question: asked, options, image }) {
      if (image === undefined) return [];
      const lines = [
        ...(hint === undefined ? [] : [hint]),
        asked,
        ...[...options].map(([letter, option]) => `${letter}. ${option}`),
      ];
      return question(lines.join("\n") + suffix, image);
    },
    sampling: { maxTokens: 1024, temperature: 0 },
    outcome({ id, group, labels = {}, options, answer: truth }, answer, verdict) {
      const right = known(truth, id);
      const parsed =
        typeof verdict?.["choice"] === "string" ? verdict["choice"] : readChoice(answer, options);
      return {
        id,
        group,
        labels,
        parsed,
        truth: `${right}. ${options.get(right) ?? ""}`,
        credit: parsed === right ? 1 : 0,
      };
    },
    aggregate: aggregateCircular,
    judge: mmBenchJudge,
    submission: {
      file: `${name}.xlsx`,
      write: (items, answers) =>
        writeWorkbook(
          columns,
          items.map(({ id, question: asked, options, answer, split }) => [
            Number(id),
            asked,
            ...["A", "B", "C", "D"].map((letter) => options.get(letter)),
            answers.get(id),
            answer,
            split,
          ]),
        ),
    },
  });
}

const blog = "LLaVA-NeXT blog, January 2024";

export default [
  variant(
    "mmbench",
    "MMBench",
    letterPrompt,
    {
      dev: ["mmbench_dev_20230712.tsv", "MMBench_DEV_EN_legacy.tsv"],
      test: ["mmbench_test_20230712.tsv", "mmbench_test_en_20231003.tsv", "MMBench_TEST_EN_legacy.tsv"],
    },
    [
      ...modelZooScores({ accuracy: [64.3, 67.7, 66.1, 68.5, 67.4, 70, 68.7, 79.3] }),
      ...publishedScores("accuracy", blog, { "GPT-4V": 75.8 }),
    ],
  ),
  variant(
    "mmbench-cn",
    "MMBench-CN",
    chineseLetterPrompt,
    {
      dev: ["mmbench_dev_cn_20231003.tsv", "MMBench_DEV_CN_legacy.tsv"],
      test: ["mmbench_test_cn_20231003.tsv", "MMBench_TEST_CN_legacy.tsv"],
    },
    [
      ...modelZooScores({ accuracy: [58.3, 63.6, 58.9, 61.5, 60.6, 64.4, 61.2, 79] }),
      ...publishedScores("accuracy", blog, { "GPT-4V": 73.9 }),
    ],
  ),
];
