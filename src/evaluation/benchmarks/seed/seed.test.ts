import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import seed from "./index.ts";

test("a leaderboard file is questions and predictions at once; of two different answers to one question neither counts", async () => {
  const folder = temporaryFolder("llava-seed");
  const path = join(folder, "GPT-4V.json");
  await writeFile(
    path,
    '{"question_id": "1", "prediction": "A", "gt_answer": "A"},\n' +
      '{"question_id": "v2", "prediction": "B", "gt_answer": "C"},\n' +
      '{"question_id": "1", "prediction": "D", "gt_answer": "A"}',
  );
  const { texts: answers, repeated } = await readAnswers(seed, path);
  assert.deepEqual([...repeated], ["1"]);
  const outcomes = [];
  for await (const item of seed.load({ data: folder }))
    outcomes.push(seed.outcome(item, answers.get(item.id)!));
  const scores = seed.aggregate(outcomes).map(({ name, value, count }) => [name, value, count]);
  assert.deepEqual(scores, [
    ["accuracy", 0, 2],
    ["accuracy/image", 0, 1],
    ["accuracy/video", 0, 1],
  ]);
  await writeFile(
    path,
    '{"question_id": "1", "prediction": "A", "gt_answer": "A"},\n{"question_id": "2", "pre',
  );
  await assert.rejects(async () => {
    for await (const _ of seed.load({ data: folder }));
  }, /GPT-4V\.json:2: /);
});

test("letters are read in any form, with compat none but the letter alone", () => {
  const answers = ["B", "B.", " B", "B\n", "(B)", "The answer is B", "b", "", "C", "B or C"];
  for (const compat of [false, true]) {
    const item = { id: "1", answer: "B", labels: { modality: "image" }, compat };
    const credits = answers.map((text) => seed.outcome(item, text).credit);
    assert.deepEqual(credits, compat ? [1, 0, 0, 0, 0, 0, 0, 0, 0, 0] : [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  }
});

test("the leaderboard gets a line a question", async () => {
  const bytes = await seed.submission!.write([{ id: "v0" }, { id: "7" }], new Map([["7", "C"]]));
  assert.equal(
    new TextDecoder().decode(bytes),
    '{"question_id":"v0","prediction":""}\n{"question_id":"7","prediction":"C"}\n',
  );
});
