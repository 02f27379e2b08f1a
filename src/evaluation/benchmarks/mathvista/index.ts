import { resolve } from "node:path";
import { z } from "zod";
import { benchmark, type DatasetOptions } from "../../benchmark.ts";
import { jsonBytes, locateFile, readDocument } from "../../dataset-files/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores, publishedScores } from "../../published-scores.ts";
import { judge } from "./judge.ts";
import { readMathVistaPredictions } from "./predictions.ts";
import { type MathVistaItem, problemSchema } from "./problem.ts";
import { buildQuery } from "./query.ts";
import { aggregate, outcome, skillSeparator } from "./score.ts";

const problemsSchema = z.record(z.string(), problemSchema);

async function* load({
  data,
  split = "testmini",
  compat = false,
}: DatasetOptions): AsyncGenerator<MathVistaItem> {
  const path = locateFile(data, [`${split}.json`, `data/${split}.json`, `mathvista/data/${split}.json`]);
  for (const [id, row] of Object.entries(await readDocument(path, problemsSchema))) {
    const { skills, ...metadata } = row.metadata;
    yield {
      id,
      labels: {
        questionType: row.question_type,
        answerType: row.answer_type,
        ...metadata,
        skills: skills.join(skillSeparator),
      },
      query: buildQuery(row),
      question: row.question,
      image: resolve(path, /\bdata[/\\][^/\\]*$/.test(path) ? "../.." : "..", row.image),
      choices: row.choices ?? [],
      answerType: row.answer_type,
      precision: row.precision ?? 0,
      answer: row.answer,
      compat,
    };
  }
}

export default benchmark<MathVistaItem>({
  name: "mathvista",
  title: "MathVista",
  source: "Lu et al. 2023, arXiv:2310.02255; data and results of the benchmark's repository",
  files: ["data/testmini.json or data/test.json, from the repository; images/ beside data/"],
  splits: ["testmini", "test"],
  headline: "accuracy",
  published: [
    ...modelZooScores(
      { accuracy: [null, null, null, null, 34.6, 35.3, 37.7, 46.5] },
      "LLaVA, docs/MODEL_ZOO.md",
    ),
    ...publishedScores("accuracy", "LLaVA-NeXT blog, January 2024", {
      "LLaVA-1.5 13B": 27.6,
      "GPT-4V": 49.9,
    }),
  ],
  compat:
    "where a file stores the original's true_false, that counts, as in scores beside files of its repository; else the extraction is scored anew",
  load,
  prompt: ({ query, image }) => question(query, image),
  sampling: { temperature: 0, maxTokens: 1024 },
  outcome,
  aggregate,
  judge,
  readPredictions: readMathVistaPredictions,
  submission: {
    file: "output.json",
    async write(items, answers) {
      const rows = items.map(({ id }) => [id, { pid: id, response: answers.get(id) ?? "" }]);
      return jsonBytes(Object.fromEntries(rows));
    },
  },
});
