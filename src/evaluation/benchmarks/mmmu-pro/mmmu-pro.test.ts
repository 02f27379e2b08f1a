import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readAnswers } from "../../answers/index.ts";
import { PythonRandom } from "../../python/index.ts";
import { score } from "../../scoring/index.ts";
import { jsonLines } from "../example-files.ts";
import { chosenLetter } from "./choice.ts";
import writeExample from "./example.ts";
import mmmuPro from "./index.ts";
import { optionsIn } from "./options.ts";

const options = { A: "red", B: "dark red", C: "Blue sky", D: "none" };

describe("a letter from an answer, as mmmu-pro/evaluate.py reads it", () => {
  const cases: [string, string | undefined][] = [
    ["(A) it seems, but no.\nAnswer: C", "C"],
    // Two letters after the last "Answer:", so that the brackets count.
    ["Answer: C\nOr (A). Answer: B or D", "A"],
    ["Answer:", undefined],
    // At a word's end; none of them alone, so that the first is taken.
    ["the USA is D here", "D"],
    ["a VLAN A and a VLAN B ", "B"],
    ["NASA and DVD it is", "A"],
    ["It is B.", "B"],
    ["So C. Or B. So", "B"],
    ["I think that it is blue SKY today", "C"],
    ["blue sky", undefined],
  ];
  for (const [answer, letter] of cases)
    test(JSON.stringify(answer), () => assert.equal(chosenLetter(answer, options), letter));
});

test("options are a list as Python prints it, or one in it", () => {
  assert.deepEqual(optionsIn(`['one', "it's"]`), ["one", "it's"]);
  assert.deepEqual(optionsIn("[['A', 'B']]"), ["['A', 'B']"]);
  assert.deepEqual(optionsIn(["a"]), ["a"]);
  assert.equal(optionsIn("one, two"), undefined);
});

let data = "";
before(async () => {
  data = await mkdtemp(join(tmpdir(), "mmmu-pro-"));
  await writeExample(data);
});
after(() => rm(data, { recursive: true }));

async function scored(rows: readonly object[], split: string, compat = false, folder = data) {
  const path = join(data, "output.jsonl");
  await writeFile(path, jsonLines(rows));
  const answers = await readAnswers(mmmuPro, path);
  const load = { data: folder, split, compat };
  const { verdicts } = answers;
  const { result } = await score({ benchmark: mmmuPro, load, answers, verdicts, model: "m", resamples: 0 });
  return Object.fromEntries(result.scores.map(({ name, value }) => [name, value]));
}

const listed = "['1', '2', '3', '4', '5', '6']";
const ids = ["test_History_1", "validation_Art_Theory_7"] as const;

test("each setting has its own files; outputs of the official code are read", async () => {
  const rows = [
    { id: ids[0], response: "Answer: B", options: listed },
    { id: ids[1], response: { error: "timeout" }, options: listed },
  ];
  for (const split of ["standard", "vision", "standard-4"]) {
    const found = await scored(rows, split);
    assert.deepEqual([found["accuracy/History"], found["guessed"]], [100, 1], split);
  }
});

test("with compat a stored letter counts, else one that is drawn in the order of the file", async () => {
  const stored = ids.map((id, index) => ({ id, response: "?", options: listed, pred_indexs: "BC"[index] }));
  assert.equal((await scored(stored, "vision", true))["accuracy"], 100);
  const random = new PythonRandom(42);
  const drawn = ids.map(() => random.choice([..."ABCDEF"]));
  const right = drawn.filter((letter, index) => letter === "BC"[index]).length;
  const unread = stored.map(({ pred_indexs: _, ...row }) => row);
  assert.equal((await scored(unread, "vision", true))["accuracy"], 50 * right);
});

test("without the dataset, an output of the official code has options and answers", async () => {
  const folder = join(data, "only");
  await mkdir(folder);
  const rows = ids.map((id, index) => ({ id, options: listed, answer: "BC"[index], response: "Answer: B" }));
  await writeFile(join(folder, "m_standard(10 options)_cot.jsonl"), jsonLines(rows));
  assert.equal((await scored(rows, "standard", false, folder))["accuracy"], 50);
  await assert.rejects(scored(rows, "vision", false, folder), /holds no "vision\/test-\*\.parquet"/);
});

test("a part of a split that is missing is named", async () => {
  const folder = join(data, "part");
  await mkdir(join(folder, "standard (10 options)"), { recursive: true });
  await writeFile(join(folder, "standard (10 options)/test-00001-of-00002.parquet"), "");
  await assert.rejects(
    scored([{ id: ids[0], response: "A" }], "standard", false, folder),
    /holds 1 of 2 parts/,
  );
});
