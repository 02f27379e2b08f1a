import assert from "node:assert/strict";
import { test } from "node:test";
import benchmarks from "./index.ts";

const [choice, direct] = benchmarks;
const item = {
  id: "q",
  question: "",
  image: "",
  choices: ["cat", "dog", "A. bird", "fish"],
  correct: 1,
  answers: ["dog", "dog", "puppy"],
};

test("a letter or an option's text chooses", () => {
  for (const [answer, credit, parsed] of [
    ["B", 1, "B. dog"],
    [" B. dog", 1, "B. dog"],
    ["Dog", 1, "B. dog"],
    ["C", 0, "C. A. bird"],
    ["E", 0, undefined],
    ["hound", 0, undefined],
    ["", 0, undefined],
  ] as const) {
    const outcome = choice!.outcome(item, answer);
    assert.deepEqual([outcome.credit, outcome.parsed], [credit, parsed], answer);
  }
});

test("direct answers earn a third for each person who gave them", () => {
  const credits = ["dog", "Puppy.", "cat"].map((text) => direct!.outcome(item, text).credit);
  assert.deepEqual(credits, [2 / 3, 1 / 3, 0]);
});

test("the server gets the text of the chosen option", async () => {
  const bytes = await choice!.submission!.write([item], new Map([["q", "B"]]));
  assert.equal(new TextDecoder().decode(bytes), '{"q":{"multiple_choice":"dog"}}');
});
