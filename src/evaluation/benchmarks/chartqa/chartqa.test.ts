import assert from "node:assert/strict";
import { test } from "node:test";
import chartqa from "./index.ts";
import { isRelaxedRight } from "./relaxed.ts";

test("numbers may be off by a twentieth; texts may not be off at all", () => {
  const cases: [string, string, boolean][] = [
    ["14", "14", true],
    ["14.7", "14", true],
    ["14.71", "14", false],
    ["-14", "14", false],
    ["57%", "0.57", true],
    ["57%%", "0.57", true],
    ["57", "57%", false],
    ["0", "0", true],
    ["0.0", "0", false],
    ["0.00001", "0", false],
    ["No", "no", true],
    ["no ", "No", false],
    ["1,400", "1400", false],
    ["1e2", "100", true],
    ["nan", "12", false],
    ["nan", "NaN", false],
    ["%", "%", true],
    [" 23 ", "23", true],
  ];
  for (const [answer, truth, right] of cases)
    assert.equal(isRelaxedRight(answer, truth), right, `${answer} for ${truth}`);
});

test("the mean is over all questions, not over the two kinds", () => {
  const outcome = (kind: string, credit: number) => ({ id: "1", credit, labels: { kind } });
  const scores = chartqa.aggregate([outcome("human", 1), outcome("human", 0), outcome("augmented", 1)]);
  assert.deepEqual(
    scores.map(({ name, value, count }) => [name, Math.round(value), count]),
    [
      ["relaxed-accuracy", 67, 3],
      ["relaxed-accuracy/augmented", 100, 1],
      ["relaxed-accuracy/human", 50, 2],
    ],
  );
});
