import { join } from "node:path";
import { z } from "zod";
import { shortAnswerPrompt } from "../../../protocol/index.ts";
import { type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  findFile,
  imageFolder,
  locateFile,
  locateQuestions,
  readDocument,
  readLlavaQuestions,
  type TableFiles,
  tableRows,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel, textVqaCredit } from "../../metrics/index.ts";
import { normalizeEvalAiAnswer } from "../../parsing/index.ts";
import { question } from "../../prompting/index.ts";
import { modelZooScores } from "../../published-scores.ts";
import { known, listAnswers } from "../../scoring/index.ts";

interface TextVqaItem extends BenchmarkItem {
  readonly question: string;
  readonly image: string;
  /** What Rosetta read in the image; LLaVA shows it to the model. */
  readonly tokens?: readonly string[];
  readonly answers?: readonly string[];
}

const annotationSchema = z.object({
  data: z.array(
    z.object({ image_id: z.string(), question: z.string(), answers: z.array(z.string()).length(10) }),
  ),
});
const tokenSchema = z.object({
  data: z.array(z.object({ image_id: z.string(), ocr_tokens: z.array(z.string()) })),
});

const annotationFile = "TextVQA_0.5.1_val.json";
const tokenFile = "TextVQA_Rosetta_OCR_v0.2_val.json";
const questionFile = "llava_textvqa_val_v051_ocr.jsonl";
const inside = within(["", "textvqa/"]);
const tokenLine = "\nReference OCR token: ";

/** LLaVA's answers carry the image and the prompt: several questions are about one image. */
const idOf = (image: string, text: string): string => `${image} ${text.toLowerCase()}`;

async function* load({ data }: DatasetOptions): AsyncGenerator<TextVqaItem> {
  const folder = imageFolder(data, ["train_images", "textvqa/train_images", "images"]);
  const annotations = findFile(data, inside(annotationFile));
  if (annotations === undefined) {
    const source = await locateQuestions(
      data,
      "val",
      [...inside(annotationFile), ...inside(questionFile)],
      layouts,
    );
    if ("table" in source) return yield* tableItems(source.table);
    const { path } = source;
    for await (const { id, image, text } of readLlavaQuestions(path, shortAnswerPrompt)) {
      const [asked = "", tokens] = text.split(tokenLine);
      const known = tokens === undefined ? {} : { tokens: [tokens] };
      yield { id: idOf(id, asked), question: asked, image: join(folder, image), ...known };
    }
    return;
  }
  const read = await readTokens(locateFile(data, inside(tokenFile)));
  const { data: rows } = await readDocument(annotations, annotationSchema);
  for (const { image_id: image, question: asked, answers } of rows) {
    // LLaVA's questions have a capital at the start and nowhere else.
    const text = asked.charAt(0).toUpperCase() + asked.slice(1).toLowerCase();
    yield {
      id: idOf(image, text),
      question: text,
      image: join(folder, `${image}.jpg`),
      tokens: read.get(image) ?? [],
      answers,
    };
  }
}

const layouts = [
  { columns: ["question_id", "question", "image_id", "answers", "ocr_tokens"] },
  { columns: ["index", "question", "answer"] },
];

/** The tables of facebook and lmms-lab, whose tokens are those of the paper, and VLMEvalKit's, which have none. */
async function* tableItems(table: TableFiles): AsyncGenerator<TextVqaItem> {
  for await (const row of tableRows(table)) {
    const asked = row.text("question");
    const text = asked.charAt(0).toUpperCase() + asked.slice(1).toLowerCase();
    const tokens = row.list("ocr_tokens");
    const answers = row.list("answers") ?? row.list("answer");
    yield {
      id: row.optionalText("index") ?? idOf(row.text("image_id"), text),
      question: text,
      image: row.image() ?? "",
      ...(tokens && { tokens }),
      ...(answers && { answers }),
    };
  }
}

async function readTokens(path: string): Promise<Map<string, string[]>> {
  const { data } = await readDocument(path, tokenSchema);
  return new Map(data.map(({ image_id: image, ocr_tokens: tokens }) => [image, tokens]));
}

const textOf = ({ question: asked, tokens }: TextVqaItem): string =>
  asked + (tokens === undefined ? "" : tokenLine + tokens.join(", ")) + shortAnswerPrompt;

/** LLaVA's rows name the image and have the prompt, which tells the questions about an image apart. */
function answerId({ question_id: id, prompt }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof id !== "string" || typeof prompt !== "string") return undefined;
  // Our own answers have the whole id already.
  return id.includes(" ") ? id : idOf(id, askedIn(prompt));
}

/** The question among the lines of a prompt, which may start with the tokens. */
function askedIn(prompt: string): string {
  const [first = "", second = ""] = prompt.split("\n");
  return first.startsWith(tokenLine.trim()) ? second : first;
}

export default benchmark<TextVqaItem>({
  name: "textvqa",
  title: "TextVQA (validation, with OCR tokens)",
  source: 'Singh et al. 2019, "Towards VQA Models That Can Read"; textvqa.org, version 0.5.1',
  files: [`${annotationFile} and ${tokenFile} (or ${questionFile}, to run only)`],
  splits: ["val"],
  headline: "accuracy",
  published: modelZooScores({ accuracy: [58.2, 61.3, 58.2, 60.2, 64.9, 67.1, 65.7, 69.5] }),
  load,
  prompt: (item) => question(textOf(item), item.image),
  sampling: { maxTokens: 128, temperature: 0 },
  outcome({ id, answers }, answer) {
    const people = known(answers, id);
    const truth = listAnswers(people);
    return { id, parsed: normalizeEvalAiAnswer(answer), truth, credit: textVqaCredit(answer, people) };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  answerId,
});
