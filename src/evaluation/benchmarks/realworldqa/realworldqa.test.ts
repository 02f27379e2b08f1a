import assert from "node:assert/strict";
import { test } from "node:test";
import { readAnswer } from "./read-answer.ts";

const question =
  "Which way?\n\nA. Turn left\nB. Turn right (now)\nC. Turn left\nPlease answer with the letter.";

test("the option that an answer names, else its words", () => {
  const cases: [answer: string, compat: string, fixed: string][] = [
    ["A", "a", "a"],
    ["b.", "b", "b"],
    ["(B)", "b", "b"],
    // Two options of one text: the later letter.
    ["Turn left.", "c", "c"],
    ["We should Turn left", "c", "c"],
    ["turn left", "turn left", "turn left"],
    // An option with punctuation is never found in words without.
    ["B. Turn right (now)", "b turn right now", "b"],
    ["A. Turn left", "c", "a"],
    ["The answer is B", "the answer is b", "b"],
    ["The answer is B.\n", "the answer is b", "b"],
    ["Answer: A", "answer a", "a"],
    ["B) Turn right", "b turn right", "b"],
  ];
  for (const [answer, compat, fixed] of cases) {
    assert.equal(readAnswer(answer, question, true), compat, answer);
    assert.equal(readAnswer(answer, question, false), fixed, answer);
  }
});

test("questions without options take words and numbers", () => {
  const cases: [string, string][] = [
    ["Two", "2"],
    ["two.", "2"],
    ["two\n", "2"],
    ["No.", "no"],
    ["35 mph", "35 mph"],
    ["3.5", "35"],
  ];
  for (const [answer, said] of cases) assert.equal(readAnswer(answer, "How many?", false), said, answer);
});
