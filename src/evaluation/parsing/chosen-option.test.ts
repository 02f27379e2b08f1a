import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenOption, splitOptions } from "./chosen-option.ts";

test("an option by its letter or by its text", () => {
  const options = ["Hydrogen", "Oxygen", "Carbon Dioxide", "A"];
  const cases: [string, string | undefined][] = [
    ["B", "B"],
    ["b.", "B"],
    ["(B)", "B"],
    [" C. Carbon Dioxide", "C"],
    ["C. oxygen", "C"],
    ["carbon dioxide.", "C"],
    ["A", "A"],
    ["E", undefined],
    ["E. Neon", undefined],
    ["Oxygen and hydrogen", undefined],
    ["", undefined],
    ["...", undefined],
  ];
  for (const [answer, letter] of cases) assert.equal(chosenOption(answer, options), letter, answer);
});

test("a question and its options, some of several lines", () => {
  assert.deepEqual(splitOptions("Which?\nLook.\nA. One\nB. Two. Three\nfour\nX. five\nC. Six"), {
    question: "Which?\nLook.",
    options: ["One", "Two. Three\nfour\nX. five", "Six"],
  });
  assert.deepEqual(splitOptions("Why?"), { question: "Why?", options: [] });
});
