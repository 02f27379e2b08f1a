import assert from "node:assert/strict";
import { test } from "node:test";
import { textVqaCredit, vqaCredit } from "./vqa-accuracy.ts";

const people = (counts: Record<string, number>): string[] =>
  Object.entries(counts).flatMap(([answer, count]) => Array<string>(count).fill(answer));

/** By how many of ten gave the answer. For 2: those two find one other who did, the eight others find both. */
const credits = [0, (9 * 1) / 30, (2 * 1 + 8 * 2) / 30, (3 * 2 + 7 * 3) / 30, 1, 1, 1, 1, 1, 1, 1];

test("each of ten people is left out in turn, and three of the others are enough", () => {
  for (const [matches, credit] of credits.entries()) {
    const references = people({ red: matches, blue: 10 - matches });
    assert.ok(Math.abs(textVqaCredit("RED.", references) - credit) < 1e-12, `${matches} matches`);
    assert.ok(Math.abs(vqaCredit("red", references) - credit) < 1e-12, `${matches} matches`);
  }
});

test("the VQA server leaves answers as they are where all people agree", () => {
  const agreed = people({ "t-shirt": 10 });
  assert.equal(vqaCredit("t shirt", agreed), 0);
  assert.equal(vqaCredit("t-shirt\n", agreed), 1);
  assert.equal(textVqaCredit("t shirt", agreed), 1);
  assert.equal(vqaCredit("t shirt", people({ "t-shirt": 9, shirt: 1 })), 1);
});

test("an empty answer earns nothing, unless people's answers normalise to nothing", () => {
  assert.equal(textVqaCredit("", people({ yes: 10 })), 0);
  assert.equal(textVqaCredit("", people({ "?": 10 })), 1);
});
