import assert from "node:assert/strict";
import { test } from "node:test";
import { anls } from "./anls.ts";

test("similarity to the nearest accepted answer, by raw lengths, and 0 below a half", () => {
  const cases: [string, string[], number][] = [
    ["0.28", ["0.28"], 1],
    ["University of california", ["ucla", "university of California"], 1],
    ["kitten", ["sitting"], 1 - 3 / 7],
    ["abcd", ["abxy"], 0.5],
    ["abcde", ["abxyz"], 0],
    // Two spaces become one for the distance, but not for the length: 1 − 1/9.
    ["new  york", ["new yorx"], 1 - 1 / 9],
    ["", [""], 1],
    ["", ["x"], 0],
    // In capitals ß is two letters long: 1 − 2/7 where the lower-case words differ by two edits.
    ["straße", ["strasse"], 1 - 2 / 7],
  ];
  for (const [answer, accepted, expected] of cases)
    assert.ok(Math.abs(anls(answer, accepted) - expected) < 1e-12, `${answer}: ${anls(answer, accepted)}`);
});
