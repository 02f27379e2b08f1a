import assert from "node:assert/strict";
import { test } from "node:test";
import { leadingLetter, statedLetter } from "./letter.ts";

test("a letter counts alone, before a point and a space, or as the one that is stated", () => {
  for (const [answer, letter] of [
    ["B", "B"],
    ["B. both", "B"],
    ["B.", undefined],
    ["B) both", undefined],
    ["F", undefined],
    ["b", undefined],
    ["", undefined],
    [" B", undefined],
    ["Because it flies. The answer is C.", "C"],
    ["The answer is C", undefined],
    ["The answer is A. No: The answer is B.", undefined],
    ["A. The answer is B.", "A"],
  ] as const)
    assert.equal(statedLetter(answer), letter, answer);
  assert.equal(statedLetter("E", "D"), undefined);
});

test("a leading letter may stand behind spaces", () => {
  assert.equal(leadingLetter(" C. because"), "C");
  assert.equal(leadingLetter("C"), undefined);
});
