import { resolve } from "node:path";
import { z } from "zod";
import { benchmark, type DatasetOptions } from "../../benchmark.ts";
import { findFile, locateFile, locateQuestions } from "../../dataset-files/index.ts";
import { modelZooScores, publishedScores } from "../../published-scores.ts";
import { readContexts, readQuestions, readReferences, tableItems, tableLayouts } from "./load.ts";
import { type ReviewedItem, reviewed, textJudge } from "./review.ts";
import { describedImage } from "./rules.ts";

const contextSchema = z.object({ image: z.string(), caption: z.union([z.string(), z.array(z.string())]) });

async function* load({ data, compat = false }: DatasetOptions): AsyncGenerator<ReviewedItem> {
  const source = await locateQuestions(
    data,
    "test",
    ["questions.jsonl", "llava-bench-in-the-wild/questions.jsonl"],
    tableLayouts,
  );
  if ("table" in source) return yield* tableItems(source.table, describedImage, compat);
  const at = (name: string): string => locateFile(data, [name, `llava-bench-in-the-wild/${name}`]);
  const reference = await readReferences(at("answers_gpt4.jsonl"));
  // The original joins the lines of a caption without looking whether it has lines: its captions are strings,
  // and its judge reads them a letter a line.
  const context = await readContexts(at("context.jsonl"), contextSchema, ({ caption }) =>
    typeof caption === "string" && !compat ? caption : [...caption].join("\n"),
  );
  const images =
    findFile(data, ["images", "wild_imgs", "llava-bench-in-the-wild/images"]) ?? resolve(data, "images");
  for await (const { question_id, image, text, category } of readQuestions(at("questions.jsonl")))
    yield {
      id: question_id,
      labels: { category },
      image: resolve(images, image),
      question: text,
      reference: reference(question_id),
      context: context(image),
      rule: describedImage,
      compat,
    };
}

export const llavaW = benchmark<ReviewedItem>({
  ...reviewed,
  compat: `${reviewed.compat}; the judge reads descriptions of images a letter a line`,
  name: "llava-w",
  title: "LLaVA-Bench (In-the-Wild)",
  source: "Liu et al. 2023, arXiv:2304.08485; 24 images and 60 questions, liuhaotian/llava-bench-in-the-wild",
  files: ["questions.jsonl", "context.jsonl", "answers_gpt4.jsonl", "images/"],
  splits: ["test"],
  published: [
    ...modelZooScores(
      { relative: [65.4, 72.5, 67.9, 69.5, 81.6, 87.3, 83.2, 89.6] },
      "LLaVA, docs/MODEL_ZOO.md",
    ),
    ...publishedScores("relative", "LLaVA", {
      "LLaVA-1 13B-336 LoRA": 70.1,
      "LLaVA-1 LLaMA-2-13B": 67.9,
      "LLaVA-1 LLaMA-2-7B LoRA": 62.8,
    }),
  ],
  load,
  sampling: { temperature: 0, maxTokens: 1024 },
  judge: textJudge,
});
