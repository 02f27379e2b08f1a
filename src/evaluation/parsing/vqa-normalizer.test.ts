import assert from "node:assert/strict";
import { test } from "node:test";
import { normalizeEvalAiAnswer, normalizeVqaAnswer } from "./vqa-normalizer.ts";

const points = ". ".repeat(40);

test("answers as the VQA evaluation and EvalAI's processor, each in its own way, see them", () => {
  for (const [answer, vqa, evalAi] of [
    ["", "", ""],
    [" The Red Bus\n", "red bus", "red bus"],
    ["Two dogs", "2 dogs", "2 dogs"],
    ["none", "0", "0"],
    ["t-shirt", "t shirt", "t shirt"],
    // A hyphen beside a space somewhere: all of them are dropped.
    ["t-shirt - red", "tshirt red", "tshirt red"],
    // Digits split by a comma: every mark is dropped, not replaced, unless the comma went first.
    ["1,000 km/h", "1000 kmh", "1000 km h"],
    ["dog's", "dog's", "dog 's"],
    ["somebody'd", "somebodyd", "somebodyd"],
    ["dont", "don't", "don't"],
    ["hed've", "he'd've", "he'd've"],
    ["3.5", "3.5", "3.5"],
    ["U.S.A.", "usa", "usa"],
    ["no. 5", "no 5", "no 5"],
    ["no.5", "no.5", "no.5"],
    ["what?", "what", "what"],
    ["what?now", "what now", "whatnow"],
    ["ÉCOLE", "école", "école"],
    // Only 32 points are dropped.
    [points, Array(8).fill(".").join(" "), Array(8).fill(".").join(" ")],
  ] as const) {
    assert.equal(normalizeVqaAnswer(answer), vqa, answer);
    assert.equal(normalizeEvalAiAnswer(answer), evalAi, answer);
  }
});
