import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import seed from "./index.ts";

test("a leaderboard file is questions and predictions at once; of repeated ones the later counts", async () => {
  const folder = await mkdtemp(join(tmpdir(), "llava-seed-"));
  try {
    const path = join(folder, "GPT-4V.json");
    await writeFile(
      path,
      '{"question_id": "1", "prediction": "A", "gt_answer": "A"},\n' +
        '{"question_id": "v2", "prediction": "B", "gt_answer": "C"},\n' +
        '{"question_id": "1", "prediction": "D", "gt_answer": "A"}',
    );
    const answers = new Map<string, string>();
    for await (const { id, text } of (await seed.readPredictions!(path))!) answers.set(id, text);
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
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("only the letter alone is right", () => {
  const item = { id: "1", answer: "B", labels: { modality: "image" } };
  const credits = ["B", "B.", " B", "b", "", "C"].map((text) => seed.outcome(item, text).credit);
  assert.deepEqual(credits, [1, 0, 0, 0, 0, 0]);
});

test("the leaderboard gets a line a question", async () => {
  const bytes = await seed.submission!.write([{ id: "v0" }, { id: "7" }], new Map([["7", "C"]]));
  assert.equal(
    new TextDecoder().decode(bytes),
    '{"question_id":"v0","prediction":""}\n{"question_id":"7","prediction":"C"}\n',
  );
});
