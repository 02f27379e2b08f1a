import { letterPrompt } from "../../../protocol/index.ts";
import { type Benchmark, benchmark, type Published } from "../../benchmark.ts";
import { writeWorkbook } from "../../dataset-files/index.ts";
import { chineseLetterPrompt, question } from "../../prompting/index.ts";
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

const zoo = "LLaVA repository, docs/MODEL_ZOO.md";
const blog = "LLaVA-NeXT blog, January 2024";
const published = (rows: Readonly<Record<string, number>>, source = zoo): Published[] =>
  Object.entries(rows).map(([model, value]) => ({ model, metric: "accuracy", value, source }));

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
      ...published({
        "LLaVA-1.5 7B": 64.3,
        "LLaVA-1.5 13B": 67.7,
        "LLaVA-1.5 7B LoRA": 66.1,
        "LLaVA-1.5 13B LoRA": 68.5,
        "LLaVA-1.6 Vicuna-7B": 67.4,
        "LLaVA-1.6 Vicuna-13B": 70,
        "LLaVA-1.6 Mistral-7B": 68.7,
        "LLaVA-1.6 Hermes-Yi-34B": 79.3,
      }),
      ...published({ "GPT-4V": 75.8 }, blog),
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
      ...published({
        "LLaVA-1.5 7B": 58.3,
        "LLaVA-1.5 13B": 63.6,
        "LLaVA-1.5 7B LoRA": 58.9,
        "LLaVA-1.5 13B LoRA": 61.5,
        "LLaVA-1.6 Vicuna-7B": 60.6,
        "LLaVA-1.6 Vicuna-13B": 64.4,
        "LLaVA-1.6 Mistral-7B": 61.2,
        "LLaVA-1.6 Hermes-Yi-34B": 79,
      }),
      ...published({ "GPT-4V": 73.9 }, blog),
    ],
  ),
];
