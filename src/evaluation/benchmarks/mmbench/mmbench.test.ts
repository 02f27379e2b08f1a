import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { readAnswers } from "../../answers/index.ts";
import { readWorkbook } from "../../dataset-files/index.ts";
import { readChoice, toOptions } from "./choice.ts";
import { aggregateCircular } from "./circular.ts";
import writeExample from "./example.ts";
import benchmarks from "./index.ts";
import { mmBenchJudge } from "./judge.ts";

const planets = toOptions(["Mars", "Venus", "Mars and Venus", undefined]);

test("options end at the first empty cell", () => {
  assert.deepEqual([...toOptions(["a", undefined, "c"]).keys()], ["A"]);
});

test("a letter that stands alone counts, then the one option that is quoted", () => {
  for (const [answer, letter] of [
    ["B", "B"],
    ["B. Venus", "B"],
    ["(B)", "B"],
    ["The answer is: B!", "B"],
    ["B。", "B"],
    ["（B）Venus", "B"],
    ["D", undefined],
    ["A or B", undefined],
    ["A planet called Venus", "B"],
    ["A big red one", undefined],
    ["venus", "B"],
    ["Mars and Venus", undefined],
    ["", undefined],
  ] as const)
    assert.equal(readChoice(answer, planets), letter, answer);
});

const outcome = (id: string, group: string, credit: number) => ({
  id,
  group,
  credit,
  labels: { category: "ocr" },
});

test("a question is right if all its rotations are, however often it was drawn", () => {
  const wrongOnce = [outcome("1", "1", 1), outcome("1000001", "1", 0), outcome("2000001", "1", 1)];
  const right = [outcome("2", "2", 1), outcome("1000002", "2", 1)];
  const values = (outcomes: Parameters<typeof aggregateCircular>[0]) =>
    aggregateCircular(outcomes).map(({ name, value, count }) => [name, value, count]);
  assert.deepEqual(values([...wrongOnce, ...right]), [
    ["accuracy", 50, 2],
    ["vanilla", 100, 2],
    ["accuracy/ocr", 50, 2],
  ]);
  assert.deepEqual(values([...wrongOnce, ...right, ...right, ...right])[0], ["accuracy", 75, 4]);
});

test("the judge is asked only where no rule reads an answer, and one letter of its reply counts", async () => {
  const item = {
    id: "7",
    group: "7",
    question: "Which planet is red?",
    options: planets,
    answer: "A",
    split: "dev",
  };
  assert.equal(mmBenchJudge.needed!(item, "Mars."), false);
  assert.equal(mmBenchJudge.needed!(item, "the fourth one"), true);
  assert.equal(mmBenchJudge.needed!(item, " "), false);
  assert.deepEqual(mmBenchJudge.parse("A.", item), { choice: "A" });
  assert.deepEqual(mmBenchJudge.parse("E", item), { choice: "E" });
  assert.equal(mmBenchJudge.parse("A or B", item), undefined);
  assert.equal(mmBenchJudge.parse("", item), undefined);
  const [mmbench] = benchmarks;
  assert.equal(mmbench!.outcome(item, "the fourth one").credit, 0);
  assert.equal(mmbench!.outcome(item, "the fourth one", { choice: "A" }).credit, 1);
});

test("the workbook for the server has the server's columns, and is read back as predictions", async () => {
  const folder = temporaryFolder("llava-mmbench");
  await writeExample(folder);
  const [mmbench] = benchmarks;
  const items = [];
  for await (const item of mmbench!.load({ data: folder })) items.push(item);
  const path = join(folder, "answers.xlsx");
  await writeFile(
    path,
    await mmbench!.submission!.write(
      items,
      new Map([
        ["7", "A"],
        ["1000007", "B. Mars"],
      ]),
    ),
  );
  const rows = await readWorkbook(path);
  assert.deepEqual(Object.keys(rows[0]!), "index question A B C D prediction answer split".split(" "));
  assert.deepEqual(Object.values(rows[1]!), [
    1000007,
    "Which planet is red?",
    "Venus",
    "Mars",
    null,
    null,
    "B. Mars",
    "B",
    "dev",
  ]);
  const { texts } = await readAnswers(mmbench!, path);
  assert.deepEqual(
    [...texts],
    [
      ["7", "A"],
      ["1000007", "B. Mars"],
    ],
  );
});
