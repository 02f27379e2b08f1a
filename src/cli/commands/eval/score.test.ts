import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { llava } from "../../../../test/support/cli.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";

const folder = temporaryFolder("llava-score");

const animals = ["cat", "dog", "cow", "hen"];
const label = (index: number): string => (index % 2 === 0 ? "yes" : "no");
const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const put = (name: string, rows: readonly object[]): string => {
  const path = join(folder, name);
  writeFileSync(path, lines(rows));
  return path;
};

const data = join(folder, "pope");
mkdirSync(data);
writeFileSync(
  join(data, "coco_pope_random.json"),
  lines(animals.map((name, index) => ({ image: "a.jpg", text: `Is there a ${name}?`, label: label(index) }))),
);

/** A model that always says yes. */
const rows = animals.map((_, index) => ({ question_id: 10_000_001 + index, text: "Yes\n" }));
const score = (predictions: readonly string[], ...more: string[]) =>
  llava([
    ...["-q", "eval", "score", "pope", "--data", data, "--split", "random", "--json"],
    ...predictions.flatMap((path) => ["-p", path]),
    ...more,
  ]);
const accuracies = (stdout: string): number[] =>
  [JSON.parse(stdout)]
    .flat()
    .map(({ scores }) => scores.find(({ name }: { name: string }) => name === "accuracy").value);

test("chunks are one run, given as files or as a pattern; the same questions again are another run", async () => {
  const first = put("chunk_1.jsonl", rows.slice(0, 1));
  const second = put("chunk_2.jsonl", rows.slice(1));
  const whole = put("whole.jsonl", rows);
  assert.deepEqual(accuracies((await score([first, second])).stdout), [50]);
  assert.deepEqual(accuracies((await score([join(folder, "chunk_*.jsonl")])).stdout), [50]);
  assert.deepEqual(accuracies((await score([whole, whole])).stdout), [50, 50]);
  assert.deepEqual(accuracies((await score([whole, first, second])).stdout), [50, 50]);
});

test("the right answer beside the model's is not scored; options name the fields", async () => {
  const path = put(
    "both.jsonl",
    rows.map(({ question_id, text }, index) => ({ nr: question_id, answer: label(index), said: text })),
  );
  const refused = await score([path], "--id-field", "nr");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /cannot tell which field is the model's answer: "answer", "said"/);
  assert.match(refused.stderr, /--answer-field answer or --answer-field said/);
  assert.match((await score([path])).stderr, /has no question_id[\s\S]*"nr", "answer", "said"/);
  const named = await score([path], "--id-field", "nr", "--answer-field", "said");
  assert.deepEqual(accuracies(named.stdout), [50]);
});

test("a file that is in no format that is read says so", async () => {
  const path = join(folder, "notes.txt");
  writeFileSync(path, "yes\nno\n");
  assert.match((await score([path])).stderr, /holds no answers[\s\S]*none of the formats that are read/);
});
