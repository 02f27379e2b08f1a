import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { BenchmarkItem } from "../../benchmark.ts";
import writeExample from "./example.ts";
import benchmarks from "./index.ts";
import { readProblems } from "./problems.ts";
import { formatProblem, plainQuestion } from "./prompt-forms.ts";

const [all, withImage] = benchmarks;
let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "llava-scienceqa-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

async function items(name: "all" | "withImage", split?: string): Promise<BenchmarkItem[]> {
  const found = [];
  for await (const item of (name === "all" ? all! : withImage!).load({ data, split })) found.push(item);
  return found;
}

test("questions carry subject, modality and grade, and the second benchmark those with an image", async () => {
  assert.deepEqual(
    (await items("all")).map(({ labels }) => labels),
    [
      { subject: "SOC", image: "IMG", grade: "G1-6" },
      { subject: "NAT", text: "TXT", grade: "G7-12" },
    ],
  );
  assert.deepEqual(
    (await items("all", "val")).map(({ labels }) => labels),
    [
      { subject: "LAN", context: "NO", grade: "G1-6" },
      { subject: "NAT", text: "TXT", image: "IMG", grade: "G7-12" },
    ],
  );
  assert.deepEqual(
    (await items("withImage")).map(({ id }) => id),
    ["1"],
  );
});

test("letters beyond the options, and answers that state none, are wrong", async () => {
  const [north, rice] = await items("all");
  const credits = ["A", "A. Oslo", "C", "", "Oslo", "The answer is A."].map((text) => {
    const { credit, parsed } = all!.outcome(north!, text);
    return [credit, parsed];
  });
  assert.deepEqual(credits, [
    [1, "A"],
    [1, "A"],
    [0, undefined],
    [0, undefined],
    [0, undefined],
    [1, "A"],
  ]);
  const outcomes = [all!.outcome(north!, "A"), all!.outcome(rice!, "C")];
  const scores = Object.fromEntries(all!.aggregate(outcomes).map(({ name, value }) => [name, value]));
  assert.deepEqual(scores, {
    accuracy: 50,
    "accuracy/G1-6": 100,
    "accuracy/G7-12": 0,
    "accuracy/IMG": 100,
    "accuracy/NAT": 0,
    "accuracy/SOC": 100,
    "accuracy/TXT": 0,
  });
});

test("the result file counts, and is read back; so is what LLaVA's scorer writes", async () => {
  const path = join(data, "result.json");
  const answers = new Map([
    ["1", "A"],
    ["2", "hard to say"],
  ]);
  await writeFile(path, await all!.submission!.write(await items("all"), answers));
  const { acc, correct, count, results } = JSON.parse(
    new TextDecoder().decode(await all!.submission!.write(await items("all"), answers)),
  );
  assert.deepEqual(
    { acc, correct, count, results },
    { acc: 50, correct: 1, count: 2, results: { 1: 0, 2: -1 } },
  );
  assert.deepEqual(await read(path), [
    ["1", "A"],
    ["2", "hard to say"],
  ]);
  const guessed = { results: { 1: 1, 2: 0 }, outputs: { 1: "", 2: "I think so. The answer is A." } };
  await writeFile(path, JSON.stringify(guessed));
  assert.deepEqual(await read(path), [
    ["1", "B"],
    ["2", "I think so. The answer is A."],
  ]);
  const row = (id: string, pred: string) => ({ question_id: id, pred, parsed_ans: "?", ground_truth: "A" });
  await writeFile(path, JSON.stringify({ correct: [row("1", "A")], incorrect: [row("2", "D")] }, null, 2));
  assert.deepEqual(await read(path), [
    ["1", "A"],
    ["2", "D"],
  ]);
});

async function read(path: string): Promise<[string, string][]> {
  const rows: [string, string][] = [];
  for await (const { id, text } of (await all!.readPredictions!(path))!) rows.push([id, text]);
  return rows;
}

describe("forms of questions and answers", () => {
  const problem = {
    question: "Which is heavier?",
    choices: ["lead", "cork"],
    answer: 0,
    hint: "",
    lecture: "Density  varies.",
    solution: "Lead is dense.",
  };

  test("LLaVA-1.5 leaves out an empty context", () => {
    assert.equal(plainQuestion(problem), "Which is heavier?\nA. lead\nB. cork");
    const withHint = { ...problem, hint: "Think." };
    assert.equal(plainQuestion(withHint), "Context: Think.\nWhich is heavier?\nA. lead\nB. cork");
  });

  for (const [form, question, answer] of [
    [
      "QCM-LEA",
      "Question: Which is heavier?\nContext: N/A\nOptions: (A) lead (B) cork",
      "Density varies. Lead is dense. The answer is A.",
    ],
    [
      "QCM-ALE",
      "Question: Which is heavier?\nContext: N/A\nOptions: (A) lead (B) cork",
      "The answer is A. BECAUSE: Density varies. Lead is dense.",
    ],
    ["CQM-A", "Context: N/A\nQuestion: Which is heavier?\nOptions: (A) lead (B) cork", "The answer is A."],
    [
      "QCMLE-A",
      "Question: Which is heavier?\nContext: N/A\nOptions: (A) lead (B) cork\nBECAUSE: Density varies. Lead is dense.",
      "The answer is A.",
    ],
    [
      "QCLM-EA",
      "Question: Which is heavier?\nContext: N/A\nBECAUSE: Density varies.\nOptions: (A) lead (B) cork",
      "Lead is dense. The answer is A.",
    ],
  ] as const)
    test(form, () => assert.deepEqual(formatProblem(problem, form), { question, answer }));

  test("a missing reason leaves no BECAUSE behind", () => {
    const bare = { ...problem, lecture: "", solution: "" };
    assert.equal(formatProblem(bare, "QCM-ALE").answer, "The answer is A.");
    assert.equal(formatProblem(bare, "QCM-LEA").answer, "The answer is A.");
  });

  test("other letters are refused", () => {
    assert.throws(() => formatProblem(problem, "QCM-LE"), /"QCM-LE" is no form/);
    assert.throws(() => formatProblem(problem, "qcm-a"), /is no form/);
  });
});

test("a split or a problem that the files lack is named", async () => {
  const [problems, splits] = [join(data, "problems.json"), join(data, "pid_splits.json")];
  await assert.rejects(readProblems(problems, splits, "tset"), /has no split "tset"; there are test, val/);
  await writeFile(join(data, "short.json"), JSON.stringify({ test: ["9"] }));
  await assert.rejects(readProblems(problems, join(data, "short.json"), "test"), /lacks problem "9"/);
});
