/**
 * Compares the prompts of benchmarks with those that LLaVA's authors and others asked their models: question files, and
 * answers that repeat the prompt. Every row must equal the prompt of a question about the same image.
 *   node proofs/compare-prompts.ts FOLDER
 * FOLDER holds llava15_eval (LLaVA's playground/data/eval), pope_coco, mme, mm-vet, llava_bench_wild, mathvista, mmbench
 * and mova_eval; what is missing is said.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { findBenchmark, flattenPrompt } from "../src/evaluation/index.ts";

interface Comparison {
  readonly benchmark: string;
  readonly split?: string;
  /** The benchmark's data, and the prompts to compare with, in FOLDER. */
  readonly data: string;
  readonly asked: string;
  /** Whether the rows name their images; answers do not. */
  readonly images: boolean;
  /** What the rows leave out of the prompt's end. */
  readonly ending?: string;
}

const llava = "llava15_eval";
const comparisons: readonly Comparison[] = [
  { benchmark: "pope", data: "pope_coco", asked: `${llava}/pope/llava_pope_test.jsonl`, images: true },
  { benchmark: "mme", data: "mme", asked: `${llava}/MME/llava_mme.jsonl`, images: true },
  {
    benchmark: "gqa",
    data: `${llava}/gqa`,
    asked: `${llava}/gqa/llava_gqa_testdev_balanced.jsonl`,
    images: true,
  },
  {
    benchmark: "textvqa",
    data: `${llava}/textvqa`,
    asked: `${llava}/textvqa/llava_textvqa_val_v051_ocr.jsonl`,
    images: true,
  },
  {
    benchmark: "vizwiz",
    split: "test",
    data: `${llava}/vizwiz`,
    asked: `${llava}/vizwiz/llava_test.jsonl`,
    images: true,
  },
  { benchmark: "mm-vet", data: "mm-vet", asked: `${llava}/mm-vet/llava-mm-vet.jsonl`, images: true },
  {
    benchmark: "llava-w",
    data: "llava_bench_wild",
    asked: `${llava}/llava-bench-in-the-wild/answers/llava-v1.5-13b.jsonl`,
    images: false,
  },
  // The first thousand queries are those of testmini.
  { benchmark: "mathvista", data: "mathvista", asked: "mathvista/data/query.json", images: false },
  {
    benchmark: "scienceqa",
    data: `${llava}/scienceqa`,
    asked: `${llava}/scienceqa/answers/llava-v1.5-13b_output.jsonl`,
    images: false,
  },
  {
    benchmark: "mmbench",
    data: "mmbench/mmbench_dev_20230712.tsv",
    asked: `${llava}/mmbench/answers/mmbench_dev_20230712/llava-v1.5-13b.jsonl`,
    images: false,
    ending: "\nAnswer with the option's letter from the given choices directly.",
  },
  { benchmark: "ai2d", data: "mova_eval/ai2d", asked: "mova_eval/ai2d/test.jsonl", images: true },
  { benchmark: "docvqa", data: "mova_eval/docvqa", asked: "mova_eval/docvqa/val.jsonl", images: true },
];

interface Row {
  readonly image?: string;
  readonly text?: string;
  readonly prompt?: string;
  readonly question?: string;
}

/** MathVista's are by id. ScienceQA's outputs are a document of two lists, and write out where the image stands. */
async function rowsOf(path: string): Promise<Row[]> {
  const text = await readFile(path, "utf8");
  if (path.endsWith("query.json"))
    return Object.values(JSON.parse(text) as Record<string, string>)
      .slice(0, 1000)
      .map((query) => ({ text: query }));
  if (!path.endsWith("_output.jsonl"))
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Row);
  const { correct, incorrect } = JSON.parse(text) as { correct: Row[]; incorrect: Row[] };
  return [...correct, ...incorrect].map(({ question = "" }) => ({
    question: question.replace(/<image>\n?/, ""),
  }));
}

const keyOf = (image: string | undefined, text: string): string =>
  `${image === undefined ? "" : basename(image)}\n${text}`;

async function compare(
  folder: string,
  { benchmark, split, data, asked, images, ending = "" }: Comparison,
): Promise<boolean> {
  const path = join(folder, asked);
  const missing = [asked, data].find((name) => !existsSync(join(folder, name)));
  if (missing !== undefined) {
    console.log(`${benchmark.padEnd(10)}  ${missing} is not there`);
    return true;
  }
  const { load, prompt } = await findBenchmark(benchmark);
  const ours = new Set<string>();
  let count = 0;
  for await (const item of load({ data: join(folder, data), split })) {
    const flat = flattenPrompt(prompt(item));
    ours.add(keyOf(images ? flat.images[0] : undefined, flat.text.replace("<image>", "")));
    count++;
  }
  let [equal, rows] = [0, 0];
  let first: string | undefined;
  for (const row of await rowsOf(path)) {
    rows++;
    const key = keyOf(
      images ? row.image : undefined,
      (row.prompt ?? row.text ?? row.question ?? "") + ending,
    );
    if (ours.has(key)) equal++;
    else first ??= key;
  }
  const same = equal === rows && rows > 0;
  console.log(`${benchmark.padEnd(10)}  ${equal} of ${rows} prompts equal, of ${count} questions  ${asked}`);
  if (first !== undefined) console.log(`  the first that no question has: ${JSON.stringify(first)}`);
  return same;
}

const { positionals } = parseArgs({ allowPositionals: true });
const [folder] = positionals;
if (folder === undefined)
  throw new Error("Give the folder of benchmarks: node proofs/compare-prompts.ts FOLDER");
let same = true;
for (const comparison of comparisons) same = (await compare(folder, comparison)) && same;
process.exitCode = same ? 0 : 1;
