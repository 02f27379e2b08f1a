import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenOption, listedOptions } from "./chosen-option.ts";

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

test("options from a question's lines", () => {
  assert.deepEqual(listedOptions("Which?\nA. One\nB. Two. Three\nAnswer with the letter."), [
    "One",
    "Two. Three",
  ]);
});
