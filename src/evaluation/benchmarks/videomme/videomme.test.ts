import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import variants from "./index.ts";
import { readLetter, readLetterAsOriginal } from "./read-letter.ts";

const videomme = variants[0]!;

test("letters, and what the original evaluation takes for them", () => {
  const cases: [string, string | undefined, string | undefined][] = [
    ["B", "B", "B"],
    ["(C) Jade.", "C", "C"],
    ["The best answer is D.", "D", "D"],
    ["Based on the video, it is C.", "C", "B"],
    ["Best option: A", "A", "B"],
    ["The correct answer is Best answer:Best option: A", "A", "A"],
    ["It can't be said", undefined, undefined],
    ["I'd say D'Artagnan", undefined, "D"],
    ["", undefined, undefined],
  ];
  for (const [answer, letter, original] of cases) {
    assert.equal(readLetter(answer), letter, answer);
    assert.equal(readLetterAsOriginal(answer), original, answer);
  }
});

test("a file of results is questions and answers at once; the original leaves out what it cannot read", async () => {
  const folder = temporaryFolder("llava-videomme");
  const about = { task_type: "OCR Problems", question: "?", choices: ["A. x", "B. y"], answer: "A" };
  const questions = ["A", "None", "B."].map((response, index) => ({
    ...about,
    question_id: `001-${index}`,
    response,
  }));
  const video = { video_id: "001", duration_category: "short", video_category: "Knowledge", questions };
  const path = join(folder, "output_test_template.json");
  await writeFile(path, JSON.stringify([video]));
  const answers = new Map<string, string>();
  for await (const { id, text } of (await videomme.readPredictions!(path))!) answers.set(id, text);
  for (const compat of [false, true]) {
    const outcomes = [];
    for await (const item of videomme.load({ data: folder, compat, split: "short" }))
      outcomes.push(videomme.outcome(item, answers.get(item.id)!));
    const [overall] = videomme.aggregate(outcomes);
    assert.deepEqual([overall!.value, overall!.count], compat ? [50, 2] : [100 / 3, 3]);
  }
});
