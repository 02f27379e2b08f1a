import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../benchmark.ts";
import pope from "./index.ts";

const item = (id: string, label: string, category = "random", compat = false) => ({
  id,
  label,
  labels: { category },
  question: "",
  image: "a.jpg",
  compat,
});

const read = (answer: string, compat = false): string | undefined =>
  pope.outcome(item("1", "yes", "random", compat), answer).parsed;

test("no stands in the first sentence, as a word; what has no words is neither, and everything else yes", () => {
  for (const [answer, parsed, original] of [
    ["No", "no", "no"],
    ["no, there is not", "no", "no"],
    ["There is not.", "no", "no"],
    ["Yes. No.", "yes", "yes"],
    ["NO", "yes", "yes"],
    ["none", "yes", "yes"],
    ["No\n", "no", "yes"],
    ["No \t", "no", "no"],
    ["No.\n", "no", "no"],
    ["No!", "no", "yes"],
    ["", undefined, "yes"],
    [" \n", undefined, "yes"],
    [".No", "no", "yes"],
  ] as const) {
    assert.equal(read(answer), parsed, JSON.stringify(answer));
    assert.equal(read(answer, true), original, JSON.stringify(answer));
  }
});

const values = (outcomes: readonly Outcome[]): Record<string, number> =>
  Object.fromEntries(pope.aggregate(outcomes).map(({ name, value }) => [name, value]));

test("F1 and the rest are of each category, and their mean", () => {
  const outcomes = [
    pope.outcome(item("1", "yes"), "Yes"),
    pope.outcome(item("2", "yes"), "No"),
    pope.outcome(item("3", "no"), "Yes"),
    pope.outcome(item("4", "no"), "No"),
    pope.outcome(item("5", "yes", "popular"), "Yes"),
    pope.outcome(item("6", "no", "popular"), "No"),
  ];
  const found = values(outcomes);
  assert.deepEqual(
    [found["f1/random"], found["precision/random"], found["recall/random"], found["accuracy/random"]],
    [50, 50, 50, 50],
  );
  assert.deepEqual([found["f1/popular"], found["f1"], found["yes-ratio/popular"]], [100, 75, 50]);
});

test("the yes ratio is that of the answers, not of the truth", () => {
  const answers = ["Yes", "Yes", "Yes"].map((text, index) =>
    pope.outcome(item(String(index), index === 0 ? "yes" : "no"), text),
  );
  assert.equal(values(answers)["yes-ratio"], 100);
});

test("an answer without words is wrong whatever is right, and no yes", () => {
  const found = values([pope.outcome(item("1", "yes"), ""), pope.outcome(item("2", "no"), "")]);
  assert.deepEqual([found["accuracy"], found["f1"], found["yes-ratio"]], [0, 0, 0]);
});

test("a model that never says yes has an F1 of 0", () => {
  assert.equal(values([pope.outcome(item("1", "yes"), "No")])["f1"], 0);
});
