import assert from "node:assert/strict";
import { test } from "node:test";
import { accuracyByLabel } from "./accuracy-by-label.ts";

const outcomes = [
  { id: "1", credit: 1, labels: { subject: "NAT", image: "IMG" } },
  { id: "2", credit: 0, labels: { subject: "SOC" } },
  { id: "3", credit: 0.5, labels: { subject: "NAT" } },
];

test("means in percent over all, and over those that carry a label", () => {
  const metrics = accuracyByLabel(outcomes).map(({ name, value, count }) => [name, value, count]);
  assert.deepEqual(metrics, [
    ["accuracy", 50, 3],
    ["accuracy/IMG", 100, 1],
    ["accuracy/NAT", 75, 2],
    ["accuracy/SOC", 0, 1],
  ]);
  assert.deepEqual(accuracyByLabel(outcomes, { name: "match", digits: 1, labels: [] }), [
    { name: "match", value: 50, count: 3, digits: 1 },
  ]);
});

test("no outcomes are no division by zero", () => assert.equal(accuracyByLabel([])[0]!.value, 0));
