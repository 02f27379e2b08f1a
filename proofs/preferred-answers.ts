/**
 * From photos with captions to a model that prefers what the captions say: the default model answers several times, a rule scores
 * its answers (`llava data preferences`), and 20 steps of DPO teach it the pairs. Of those pairs it must then tell 80 % apart:
 * the preferred answer has gained more than the other.
 *   node proofs/preferred-answers.ts --images FOLDER --captions FILE [--count 24] [--steps 20] [--work FOLDER]
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readItems } from "../src/datagen/index.ts";
import { runLlava } from "./run-llava.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string" },
    captions: { type: "string" },
    count: { type: "string", default: "24" },
    steps: { type: "string", default: "20" },
    work: { type: "string" },
  },
});
const { images, captions, count, steps } = values;
if (images === undefined || captions === undefined) throw new Error("name --images and --captions");
const work = values.work ?? mkdtempSync(join(tmpdir(), "preferred-answers-"));
mkdirSync(work, { recursive: true });

const there = new Set(readdirSync(images));
const { items } = await readItems({ captions: [captions] });
const some = join(work, "captions.jsonl");
writeFileSync(
  some,
  items
    .filter(({ image }) => there.has(image))
    .slice(0, Number(count))
    .map(({ image, captions: own }) => `${JSON.stringify({ image, captions: own })}\n`)
    .join(""),
);
const pairs = join(work, "pairs.jsonl");
await runLlava(
  ...["data", "preferences", "--captions", some, "--images", images, "--out", pairs],
  ...["--model", "llava-smol-135m", "--question", "What is in this photo?"],
  ...["--samples", "4", "--max-tokens", "32", "--gap", "1", "--max-longer-wins", "1"],
);
const made = readFileSync(pairs, "utf8").trim().split("\n").filter(Boolean).length;
const told = await runLlava(
  ...["train", "recipes/llava-smol-135m/preferences.ts", "--data.rows", pairs, "--data.images", images],
  ...["--evaluation.rows", pairs, "--evaluation.images", images, "--evaluation.count", String(made)],
  ...["--evaluation.every", steps, "--maxSteps", steps, "--features.cache", join(work, "features")],
  // A few steps of few pairs teach little at the recipe's rate.
  ...["--optimizer.learningRate", "2e-4", "--batchSize", "4"],
  ...["--output", join(work, "run")],
);
const accuracies = [...(told.stdout + told.stderr).matchAll(/([\d.]+) % of pairs told apart/g)].map(
  ([, share]) => Number(share),
);
console.log(JSON.stringify({ pairs: made, steps: Number(steps), toldApart: accuracies }));
if (!(made >= 10 && (accuracies.at(-1) ?? 0) >= 80)) process.exitCode = 1;
if (values.work === undefined) rmSync(work, { recursive: true });
