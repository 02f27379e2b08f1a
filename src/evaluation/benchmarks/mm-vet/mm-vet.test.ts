import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readAnswers, readVerdicts } from "../../answers/index.ts";
import { score } from "../../scoring/index.ts";
import writeExample from "./example.ts";
import mmVet from "./index.ts";
import { readGrade } from "./judge.ts";

let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "mm-vet-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

test("a grade is a number from 0 to 1 that the reply begins with", () => {
  for (const [reply, grade] of [
    ["0.7", 0.7],
    [" 1.0\n", 1],
    ["0", 0],
    ["1", 1],
    [".5", 0.5],
    ["0.5 | because", 0.5],
    ["0.0.", 0],
  ] as const)
    assert.deepEqual(readGrade(reply), { score: grade }, reply);
  for (const reply of ["", "Correctness: 0.7", "1.5", "10", "2", "0.7x", "-0.5", "half"])
    assert.equal(readGrade(reply), undefined, reply);
});

async function scored(grades: Readonly<Record<string, readonly number[]>>) {
  const answers = join(data, "answers.jsonl");
  const texts = ["x = -1", "a man", "three"];
  const rows = texts.map((text, question_id) => JSON.stringify({ question_id, text }));
  await writeFile(answers, rows.join("\n"));
  const path = join(data, "grades.json");
  const graded = Object.entries(grades).map(([id, runs]) => [
    id,
    { model: runs.map(() => "gpt-4-0613"), content: runs.map(String), score: runs },
  ]);
  await writeFile(path, JSON.stringify(Object.fromEntries(graded)));
  const verdicts = await readVerdicts(mmVet, path);
  const { result } = await score({
    benchmark: mmVet,
    load: { data },
    answers: await readAnswers(mmVet, answers),
    verdicts,
    judge: verdicts.judge,
    model: "m",
    resamples: 0,
  });
  return result;
}

const values = (scores: readonly { name: string; value: number }[]) =>
  Object.fromEntries(scores.map(({ name, value }) => [name, Math.round(value * 1e6) / 1e6]));

test("grades average over all questions, over those that need a capability, and over sets of capabilities", async () => {
  const { scores, judge, replies } = await scored({ v1_0: [0.5], v1_1: [1], v1_2: [0] });
  assert.equal(judge, "gpt-4-0613");
  assert.deepEqual(replies, { read: 3, differing: [] });
  assert.deepEqual(values(scores), {
    total: 50,
    "total/rec": 100,
    "total/ocr": 25,
    "total/spat": 100,
    "total/math": 25,
    "integration/ocr_math": 25,
    "integration/rec_spat": 100,
  });
});

test("several runs of the judge are averaged, and their totals stand beside", async () => {
  const { scores } = await scored({ v1_0: [0.5, 0.4], v1_1: [1, 1], v1_2: [0, 0.1] });
  const { total, "total/run 1": first, "total/run 2": second } = values(scores);
  assert.deepEqual([total, first, second], [50, 50, 50]);
});

test("answers are written as MM-Vet's evaluator takes them, and read back", async () => {
  const items = [];
  for await (const item of mmVet.load({ data })) items.push(item);
  const path = join(data, "submitted.json");
  await writeFile(path, await mmVet.submission!.write(items, new Map([["v1_1", "a man"]])));
  assert.deepEqual([...(await readAnswers(mmVet, path)).texts], [["v1_1", "a man"]]);
});
