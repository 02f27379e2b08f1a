import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readAnswers } from "../../answers/index.ts";
import { score } from "../../scoring/index.ts";
import { contentWords } from "./content-words.ts";
import writeExample from "./example.ts";
import nextQaOpenEnded from "./index.ts";

let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "nextqa-oe-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

test("base forms count, stop words and marks do not", () => {
  for (const [answer, words] of [
    ["A brown dog.", ["brown", "dog"]],
    ["sat on the chair", ["sit", "on", "chair"]],
    ["He is jumping!", ["jump"]],
    ["It's not far. Yes", ["not", "far", "yes"]],
    ["No.", ["no"]],
    ["the", []],
  ] as const)
    assert.deepEqual(contentWords(answer), words, answer);
});

async function scored(split: string, answers: object) {
  const path = join(data, "answers.json");
  await writeFile(path, JSON.stringify(answers));
  const { result } = await score({
    benchmark: nextQaOpenEnded,
    load: { data, split },
    answers: await readAnswers(nextQaOpenEnded, path),
    model: "m",
    resamples: 0,
  });
  return Object.fromEntries(result.scores.map(({ name, value }) => [name, Number(value.toFixed(4))]));
}

test("answers of NExT-OE's results get their WUPS; counts are right or wrong", async () => {
  // "sit down" and "sit on chair": NLTK has 1/2 for "sit" and "on", 8/19 for "chair" and "down".
  assert.deepEqual(await scored("val", { 40: { 6: "catch a ball", 7: "three" }, 41: { 1: "Sit down." } }), {
    wups: 40.3509,
    "wups/C": 100,
    "wups/CW": 100,
    "wups/D": 0,
    "wups/DC": 0,
    "wups/T": 21.0526,
    "wups/TN": 21.0526,
    "wups@0.9": 33.4035,
  });
});

test("the better of two references counts", async () => {
  const { "wups/DL": place, "wups/DB": asleep } = await scored("test", {
    42: { 0: "outside" },
    43: { 2: "No." },
  });
  assert.deepEqual([place, asleep], [100, 100]);
});
