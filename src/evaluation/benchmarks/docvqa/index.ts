import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type Benchmark, benchmark } from "../../benchmark.ts";
import { jsonBytes } from "../../dataset-files/index.ts";
import { accuracyByLabel, anls } from "../../metrics/index.ts";
import { plainAnswer } from "../../parsing/index.ts";
import { question } from "../../prompting/index.ts";
import { known } from "../../scoring/index.ts";
import { type DocumentFiles, type DocumentItem, loadDocuments } from "./load.ts";

const documents = (
  files: DocumentFiles,
  about: Pick<Benchmark, "name" | "title" | "source" | "files" | "published">,
): Benchmark =>
  benchmark<DocumentItem>({
    ...about,
    splits: ["val", "test"],
    headline: "anls",
    load: (options) => loadDocuments(options, files),
    prompt: (item) => question(item.question + shortAnswerPrompt, item.image),
    sampling: { maxTokens: 32, temperature: 0 },
    compat:
      "lengths are those of answers with the space and the points at their ends, as by lmms-eval up to 0.7",
    outcome({ id, answers, labels = {}, compat }, answer) {
      const accepted = known(answers, id);
      const truth = accepted.join(" | ");
      const plain = compat ? (text: string) => text : plainAnswer;
      const credit = anls(plain(answer), accepted.map(plain));
      return { id, labels, parsed: answer.trim(), truth, credit };
    },
    aggregate: (outcomes) => accuracyByLabel(outcomes, { name: "anls" }),
    submission: {
      file: "result.json",
      async write(items, answers) {
        const rows = items.map(({ id }) => ({ questionId: Number(id), answer: answers.get(id) ?? "" }));
        return jsonBytes(rows);
      },
    },
  });

const secondary = "CogVLM2 README";

export default [
  documents(
    {
      names: (split) => [`${split}_v1.0_withQT.json`, `${split}_v1.0.json`],
      folders: ["", "docvqa/", `DocVQA/`, "spdocvqa_qas/"],
      images: ["documents", "spdocvqa_images", "docvqa/documents", "images"],
      table: { column: "question_types", folder: /docvqa/i },
    },
    {
      name: "docvqa",
      title: "DocVQA",
      source:
        'Mathew et al. 2021, "DocVQA: A Dataset for VQA on Document Images"; rrc.cvc.uab.es, challenge 17',
      files: [
        "val_v1.0_withQT.json or val_v1.0.json (or val.jsonl with question_id, image, question, answer)",
      ],
      published: [
        { model: "LLaVA-NeXT LLaMA-3-8B", metric: "anls", value: 78.2, source: secondary },
        { model: "LLaVA-NeXT Qwen1.5-110B", metric: "anls", value: 85.7, source: secondary },
      ],
    },
  ),
  documents(
    {
      names: (split) => [`infographicsVQA_${split}_v1.0_withQT.json`, `infographicsVQA_${split}_v1.0.json`],
      folders: ["", "infovqa/", "InfoVQA/", "infographicsvqa_qas/"],
      images: ["infographicsvqa_images", "infovqa/infographicsvqa_images", "images"],
      table: { column: "answer_type", folder: /info/i },
    },
    {
      name: "infovqa",
      title: "InfographicVQA",
      source: 'Mathew et al. 2022, "InfographicVQA"; rrc.cvc.uab.es, challenge 17',
      files: ["infographicsVQA_val_v1.0_withQT.json or infographicsVQA_val_v1.0.json"],
      published: [],
    },
  ),
];
