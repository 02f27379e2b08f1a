import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import type { Outcome } from "../../benchmark.ts";
import { score } from "../../scoring/index.ts";
import { jsonLines, writeExampleFile } from "../example-files.ts";
import writeExample from "./example.ts";
import { categories } from "./files.ts";
import mme from "./index.ts";

const outcome = (image: string, answer: string, text: string, category = "count"): Outcome =>
  mme.outcome({ id: `${image}${answer}`, labels: { category }, question: "", image, answer } as never, text);

test("yes or no alone, as a letter, or among the first four characters", () => {
  for (const [answer, parsed] of [
    ["Yes", "yes"],
    [" NO.", "no"],
    ["y", "yes"],
    ["N.", "no"],
    ["Yes, it is", "yes"],
    ["No, yes", "no"],
    ["Not so", "no"],
    ["I know", undefined],
    ["It is, yes", undefined],
    ["", undefined],
  ] as const)
    assert.equal(outcome("a", "Yes", answer).parsed, parsed, JSON.stringify(answer));
});

const scores = (outcomes: readonly Outcome[]): Record<string, number> =>
  Object.fromEntries(mme.aggregate(outcomes).map(({ name, value }) => [name, value]));

test("a category scores its accuracy and the share of images with both answers right", () => {
  const half = [outcome("a", "Yes", "yes"), outcome("a", "No", "yes")];
  const full = [outcome("b", "Yes", "yes"), outcome("b", "No", "no")];
  const found = scores([...half, ...full, outcome("c", "Yes", "yes", "code_reasoning")]);
  assert.deepEqual(
    [found["accuracy/count"], found["accuracy-plus/count"], found["score/count"]],
    [75, 50, 125],
  );
  assert.deepEqual([found["perception"], found["cognition"], found["total"]], [125, 200, 325]);
  // An image drawn three times weighs three times.
  assert.equal(scores([...half, ...full, ...full, ...full])["accuracy-plus/count"], 75);
});

test("LLaVA's answers find their question by its text; the release has a file an image", async () => {
  const data = temporaryFolder("llava-mme");
  await writeExample(data);
  const ids = [];
  for await (const { id } of mme.load({ data })) ids.push(id);
  assert.equal(ids.length, 28);
  assert.equal(ids[0], "existence/0001.jpg Is this an example of existence?");
  const path = join(data, "answers.jsonl");
  const prompt = "Is this an example of existence?\nAnswer the question using a single word or phrase.";
  await writeFile(path, jsonLines([{ question_id: "existence/images/0001.jpg", prompt, text: "Yes" }]));
  for await (const answer of (await mme.readPredictions!(path))!)
    assert.deepEqual(answer, { id: ids[0], text: "Yes" });

  const release = join(data, "release");
  for (const id of ids) {
    const category = id.split("/", 1)[0]!;
    const inner = category === "scene" ? "scene/questions_answers_YN" : category;
    const text = "Is it here? Please answer yes or no.\tYes\r\nIs it there? Please answer yes or no.\tNo\r\n";
    await writeExampleFile(release, `${inner}/0007.txt`, text);
  }
  await writeExampleFile(release, "scene/images/0007.jpg", "");
  const found = [];
  for await (const item of mme.load({ data: release }))
    found.push(item as unknown as { image: string; answer: string });
  assert.deepEqual([found.length, found[0]!.answer], [28, "Yes"]);
  assert.ok(found.some(({ image }) => image === join(release, "scene/images/0007.jpg")));
  await writeExampleFile(data, "ground_truth/count.txt", "0001.jpg\tno answer here\n");
  await assert.rejects(async () => {
    for await (const _ of mme.load({ data }));
  }, /count\.txt:1: expected image, question and answer/);
});

test("the evaluation tool's results are a folder of tables, or one of them", async () => {
  const data = temporaryFolder("llava-mme");
  const results = join(data, "Your_Results");
  await writeExample(data);
  await mkdir(results);
  // The second answer is empty for OCR, and wrong but for a tab in it elsewhere.
  for (const category of categories)
    await writeFile(
      join(results, `${category === "OCR" ? "ocr" : category}.txt`),
      `0001.jpg\tIs this an example of ${category}? Please answer yes or no.\tYes\tYes, it is\r\n` +
        `images/0001.jpg\tIs it something else? Please answer yes or no.\tNo\t${category === "OCR" ? "" : "no,\tnothing"}\r\n\r\n`,
    );
  await writeFile(join(results, "notes.txt"), "made by hand\n");
  const answers = await readAnswers(mme, results);
  const { result } = await score({ benchmark: mme, load: { data }, answers, model: "m", resamples: 0 });
  const found = Object.fromEntries(result.scores.map(({ name, value }) => [name, value]));
  assert.deepEqual([found["perception"], found["cognition"], found["score/OCR"]], [1850, 800, 50]);
  assert.equal(result.counts.unparsed, 1);
  // Results hold the truth as well.
  const load = { data: results };
  await writeFile(join(results, "OCR.txt"), await readFile(join(results, "ocr.txt")));
  await rm(join(results, "ocr.txt"));
  const alone = await score({ benchmark: mme, load, answers, model: "m", resamples: 0 });
  assert.equal(alone.result.scores.find(({ name }) => name === "score/count")!.value, 200);
  const one = await readAnswers(mme, join(results, "count.txt"));
  assert.deepEqual(
    [...one.texts],
    [
      ["count/0001.jpg Is this an example of count?", "Yes, it is"],
      ["count/0001.jpg Is it something else?", "no,\tnothing"],
    ],
  );
  await assert.rejects(
    readAnswers(mme, join(data, "ground_truth")),
    /artwork\.txt|OCR\.txt: row 1 has no reply/,
  );
  await assert.rejects(readAnswers(mme, join(data)), /holds no tables of results/);
});
