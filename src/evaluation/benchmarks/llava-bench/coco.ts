import { resolve } from "node:path";
import { z } from "zod";
import { benchmark, type DatasetOptions } from "../../benchmark.ts";
import { findFile, locateFile, locateQuestions } from "../../dataset-files/index.ts";
import { pythonFloatText } from "../../python/index.ts";
import { readContexts, readQuestions, readReferences, tableItems, tableLayouts } from "./load.ts";
import { type ReviewedItem, reviewed, textJudge } from "./review.ts";
import { captionsAndBoxes } from "./rules.ts";

const contextSchema = z.object({
  image: z.string(),
  captions: z.array(z.string()),
  instances: z.array(z.object({ category: z.string(), bbox: z.array(z.number()) })),
});

/** As Python prints a list of floats: [0.0, 0.609]. */
const box = (bbox: readonly number[]): string => `[${bbox.map(pythonFloatText).join(", ")}]`;

async function* load({ data, compat = false }: DatasetOptions): AsyncGenerator<ReviewedItem> {
  const folder = "playground/data/coco2014_val_qa_eval";
  const source = await locateQuestions(
    data,
    "test",
    ["qa90_questions.jsonl", `${folder}/qa90_questions.jsonl`],
    tableLayouts,
  );
  if ("table" in source) return yield* tableItems(source.table, captionsAndBoxes, compat);
  const at = (name: string): string => locateFile(data, [name, `${folder}/${name}`]);
  const contextFile = "caps_boxes_coco2014_val_80.jsonl";
  const reference = await readReferences(at("qa90_gpt4_answer.jsonl"));
  const context = await readContexts(
    locateFile(data, [contextFile, `llava/eval/table/${contextFile}`]),
    contextSchema,
    ({ captions, instances }) =>
      `${captions.join("\n")}\n\n${instances.map(({ category, bbox }) => `${category}: ${box(bbox)}`).join("\n")}`,
  );
  for await (const { question_id, image, text, category } of readQuestions(at("qa90_questions.jsonl"))) {
    const names = [image, `COCO_val2014_${image}`];
    const places = ["val2014", "images", "coco_imgs"].flatMap((place) =>
      names.map((name) => `${place}/${name}`),
    );
    yield {
      id: question_id,
      labels: { category },
      image: findFile(data, places) ?? resolve(data, "val2014", names[1]!),
      question: text,
      reference: reference(question_id),
      context: context(image),
      rule: captionsAndBoxes,
      compat,
    };
  }
}

export const llavaBenchCoco = benchmark<ReviewedItem>({
  ...reviewed,
  name: "llava-bench-coco",
  title: "LLaVA-Bench (COCO)",
  source:
    "Liu et al. 2023, arXiv:2304.08485; 30 images of COCO val2014 and 90 questions, files of the LLaVA repository",
  files: ["qa90_questions.jsonl", "qa90_gpt4_answer.jsonl", "caps_boxes_coco2014_val_80.jsonl", "val2014/"],
  splits: ["test"],
  published: [],
  load,
  sampling: { temperature: 0, maxTokens: 1024 },
  judge: textJudge,
});
