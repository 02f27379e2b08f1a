import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { llavaHere } from "../../../../test/support/cli.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";

const folder = temporaryFolder("llava-submit");
const questions = [3, 1, 2].map((id) => ({ question_id: id, image_id: 9, question: `What is ${id}?` }));
writeFileSync(join(folder, "v2_OpenEnded_mscoco_test-dev2015_questions.json"), JSON.stringify({ questions }));

const write = (name: string, ids: readonly number[]): string => {
  const path = join(folder, name);
  const rows = ids.map((id) => `${JSON.stringify({ question_id: id, text: `The ${id} dogs.` })}\n`);
  writeFileSync(path, rows.join(""));
  return path;
};
const submit = (predictions: string, out: string, ...more: string[]) =>
  llavaHere([
    ...["eval", "submit", "vqav2", "-p", predictions, "--data", folder, "--split", "test-dev"],
    ...["--out", out, ...more],
  ]);

test("answers become the server's file, in the order of the questions", async () => {
  const { status, stderr } = await submit(write("all.jsonl", [1, 2, 3]), `${folder}/out/`);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /vqav2-answers\.json: 3 questions$/m);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "out", "vqav2-answers.json"), "utf8")), [
    { question_id: 3, answer: "3 dogs" },
    { question_id: 1, answer: "1 dogs" },
    { question_id: 2, answer: "2 dogs" },
  ]);
});

test("answers that are missing or to other questions are refused", async () => {
  const out = join(folder, "none.json");
  const some = write("some.jsonl", [1]);
  assert.match(
    (await submit(some, out)).stderr,
    /2 of 3 questions of vqav2 \(test-dev\) have no answer, the first is "3"/,
  );
  assert.match((await submit(some, out, "--partial")).stderr, /3 questions, 2 unanswered/);
  const other = await submit(write("other.jsonl", [1, 2, 3, 44]), out);
  assert.match(
    other.stderr,
    /other\.jsonl:4: 1 of 4 answers are to questions that vqav2 \(test-dev\) does not have/,
  );
  const none = await llavaHere(["eval", "submit", "pope", "-p", some, "--data", folder, "--out", out]);
  assert.match(none.stderr, /pope has no server that takes a file/);
});
