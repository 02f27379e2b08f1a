import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../benchmark.ts";
import pope from "./index.ts";

const item = (id: string, label: string, category = "random") => ({
  id,
  label,
  labels: { category },
  question: "",
  image: "a.jpg",
});

const read = (answer: string): string | undefined => pope.outcome(item("1", "yes"), answer).parsed;

test("no stands in the first sentence, as a word; everything else is yes", () => {
  for (const [answer, parsed] of [
    ["No", "no"],
    ["no, there is not", "no"],
    ["There is not.", "no"],
    ["Yes. No.", "yes"],
    ["NO", "yes"],
    ["none", "yes"],
    ["No\n", "yes"],
    ["", "yes"],
    [".No", "yes"],
  ] as const)
    assert.equal(read(answer), parsed, JSON.stringify(answer));
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

test("a model that never says yes has an F1 of 0", () => {
  assert.equal(values([pope.outcome(item("1", "yes"), "No")])["f1"], 0);
});
