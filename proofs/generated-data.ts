/**
 * From images with captions and boxes to a trained and measured model: a teacher writes conversations, descriptions and reasoning
 * (`llava data instruct`), the default model is trained on them for 60 steps, and answers questions about images that it has not
 * seen. The loss on rows of those images must fall by a fifth and, on photos, be higher with other images.
 *
 *   node proofs/generated-data.ts                       40 drawn scenes, 12 steps, and a teacher on this machine that repeats captions
 *   node proofs/generated-data.ts --images train2017 --images val2017 --captions captions_train2017.json --captions captions_val2017.json \
 *     --boxes instances_train2017.json --boxes instances_val2017.json [--endpoint URL --model NAME] [--steps 60] [--batch 4] [--work FOLDER]
 *
 * Each command that it runs is printed.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readItems } from "../src/datagen/index.ts";
import { drawScenes } from "../test/support/drawn-scenes.ts";
import { startTeacher } from "../test/support/fake-teacher.ts";
import { runLlava } from "./run-llava.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string", multiple: true },
    captions: { type: "string", multiple: true },
    boxes: { type: "string", multiple: true },
    endpoint: { type: "string" },
    model: { type: "string" },
    steps: { type: "string" },
    batch: { type: "string" },
    work: { type: "string" },
  },
});
const isDrawn = values.images === undefined;
const { steps = isDrawn ? "12" : "60", batch = isDrawn ? "2" : "4" } = values;
const work = values.work ?? mkdtempSync(join(tmpdir(), "generated-data-"));
const images = join(work, "images");
mkdirSync(images, { recursive: true });
const started = performance.now();
const failures: string[] = [];
function expect(what: string, isSo: boolean): void {
  console.log(`${isSo ? "ok  " : "FAIL"} ${what}`);
  if (!isSo) failures.push(what);
}

const given = values.images ?? [];
const scenes = given.length > 0 ? undefined : await drawScenes(work, 40);
const captions = values.captions ?? [scenes!.captions];
const boxes = values.boxes ?? [scenes!.boxes];
const { items } = await readItems({ captions, boxes });
const wanted = new Set(items.map(({ image }) => image));
for (const folder of scenes ? [scenes.images] : given)
  for (const name of readdirSync(folder))
    if (wanted.has(name)) copyFileSync(join(folder, name), join(images, name));
const repeated = (option: string, files: readonly string[]): string[] =>
  files.flatMap((file) => [option, file]);

// 1. A teacher writes rows.
const rows = join(work, "rows.jsonl");
{
  await using fake = values.endpoint === undefined ? await startTeacher() : undefined;
  const [endpoint, model] = [fake?.url ?? values.endpoint!, values.model ?? "teacher"];
  const teacher = ["--endpoint", endpoint, "--model", model, ...(isDrawn ? ["--kinds", "conversation"] : [])];
  await runLlava(
    "data",
    "instruct",
    ...repeated("--captions", captions),
    ...repeated("--boxes", boxes),
    "--out",
    rows,
    ...teacher,
  );
}
interface Row {
  readonly image: string;
}
const made = readFileSync(rows, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Row);
const heldOut = new Set(items.slice(-20).map(({ image }) => image));
const write = (name: string, lines: readonly object[]): string => {
  const path = join(work, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return path;
};
const training = write(
  "train.jsonl",
  made.filter(({ image }) => !heldOut.has(image)),
);
const held = write(
  "held-out.jsonl",
  made.filter(({ image }) => heldOut.has(image)),
);
console.log(`${made.length} rows about ${items.length} images, those about ${heldOut.size} held out`);

// 2. The default model is trained on them.
const run = join(work, "run");
const { stderr: told } = await runLlava(
  ...["train", "recipes/llava-smol-135m/finetune.ts", "--data.rows", training, "--data.images", images],
  ...[
    "--evaluation.rows",
    held,
    "--evaluation.images",
    images,
    "--evaluation.count",
    "20",
    "--evaluation.every",
    steps,
  ],
  ...[
    "--maxSteps",
    steps,
    "--epochs",
    "100",
    "--optimizer.learningRate",
    "3e-4",
    "--optimizer.projectorLearningRate",
    "5e-5",
    "--schedule.warmupRatio",
    "0.3",
    "--batchSize",
    batch,
    "--packedRows",
    "2",
    "--features.cache",
    join(work, "features"),
    "--output",
    run,
  ],
);
const losses = [...told.matchAll(/held-out loss ([\d.]+), ([\d.]+) with another image/g)].map(
  ([, own, other]) => [Number(own), Number(other)],
);
const [first, last] = [losses[0]!, losses.at(-1)!];
expect(
  `loss on held-out rows ${first[0]} -> ${last[0]}: ${(100 * (1 - last[0]! / first[0]!)).toFixed(0)} % less`,
  last[0]! <= 0.8 * first[0]!,
);
// A few steps do not teach a model of photos what drawn things are called.
if (isDrawn) console.log(`     with other images ${last[1]}`);
else expect(`with other images ${last[1]}`, last[1]! > last[0]!);

// 3. It is asked about images that it has not seen.
const questions = join(work, "questions");
mkdirSync(questions, { recursive: true });
const categories = [...new Set(items.flatMap((item) => item.boxes.map(({ category }) => category)))].sort();
const asked = items.slice(-20).flatMap(({ id, image, boxes: own }, place) => {
  const present = own[0]?.category;
  const absent = categories.filter((name) => !own.some(({ category }) => category === name));
  const pairs = [
    [present, "yes"],
    [absent[place % Math.max(1, absent.length)], "no"],
  ] as const;
  return pairs.flatMap(([name, answer]) =>
    name === undefined
      ? []
      : [
          {
            question_id: `${id}-${answer}`,
            image,
            text: `Is there a ${name} in the image?`,
            answer,
            category: answer,
          },
        ],
  );
});
write(join("questions", "questions.jsonl"), asked);
mkdirSync(join(questions, "images"), { recursive: true });
for (const image of heldOut) copyFileSync(join(images, image), join(questions, "images", image));
const { stdout } = await runLlava(
  "eval",
  "run",
  "questions",
  "--model",
  run,
  "--data",
  questions,
  "--output",
  join(work, "scores"),
  "--json",
);
const result = JSON.parse(stdout) as {
  readonly scores: readonly { readonly name: string; readonly value: number }[];
};
for (const { name, value } of result.scores) console.log(`     ${name} ${value.toFixed(1)}`);
expect(`${asked.length} questions answered and scored`, result.scores.length > 0 && asked.length >= 20);
console.log(`all of it took ${((performance.now() - started) / 1000).toFixed(0)} s`);
if (values.work === undefined) rmSync(work, { recursive: true });
process.exitCode = failures.length > 0 ? 1 : 0;
