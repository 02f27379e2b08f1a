import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { agreements } from "./agreement.ts";
import { type Decision, verdictOf } from "./decisions.ts";

const before = { question: "What?", reference: "That." };
const decided = (
  reviewer: string,
  decision: Decision["decision"],
  more: Partial<Decision> = {},
): Decision => ({
  ...{ id: "1", reviewer, decision, before, at: "2026-01-01T00:00:00Z" },
  ...(decision === "edit" && { after: { question: "What?", reference: "This." } }),
  ...more,
});

describe("what decisions come to", () => {
  const stateOf = (decisions: readonly Decision[], needed = 1): string =>
    verdictOf(decisions, before, needed).state;

  test("is the last of each reviewer, if they agree", () => {
    assert.equal(stateOf([]), "waiting");
    assert.equal(stateOf([decided("a", "keep")]), "kept");
    assert.equal(stateOf([decided("a", "keep")], 2), "waiting");
    assert.equal(stateOf([decided("a", "drop"), decided("a", "keep")]), "kept");
    assert.equal(stateOf([decided("a", "keep"), decided("b", "drop")], 2), "disputed");
    assert.equal(stateOf([decided("a", "drop"), decided("b", "drop")], 2), "dropped");
    assert.equal(
      stateOf([decided("a", "keep"), decided("b", "drop"), decided("c", "keep", { settles: true })]),
      "kept",
    );
    const other = decided("b", "edit", { after: { question: "What?", reference: "Those." } });
    assert.equal(stateOf([decided("a", "edit"), other]), "disputed");
    const verdict = verdictOf([decided("a", "edit"), decided("b", "edit")], before, 2);
    assert.deepEqual(verdict, {
      state: "kept",
      reviewers: 2,
      words: { question: "What?", reference: "This." },
    });
  });

  test("does not hold for other words than were seen", () => {
    assert.equal(verdictOf([decided("a", "keep")], { ...before, reference: "Else." }).state, "waiting");
  });
});

test("Cohen's κ has the value worked out by hand", () => {
  // Of 50 questions: both keep 20, a keeps and b drops 5, a drops and b keeps 10, both drop 15: po 0.7, pe 0.5, κ 0.4.
  const pairs = [
    ...Array.from({ length: 20 }, () => ["keep", "keep"] as const),
    ...Array.from({ length: 5 }, () => ["keep", "drop"] as const),
    ...Array.from({ length: 10 }, () => ["drop", "keep"] as const),
    ...Array.from({ length: 15 }, () => ["drop", "drop"] as const),
  ];
  const decisions = pairs.flatMap(([a, b], id) => [
    decided("a", a, { id: String(id) }),
    decided("b", b, { id: String(id) }),
  ]);
  const [found] = agreements([...decisions, decided("a", "keep", { id: "alone" })]);
  assert.equal(found!.common, 50);
  assert.equal(found!.agreed, 0.7);
  assert.ok(Math.abs(found!.kappa! - 0.4) < 1e-12);
  assert.equal(found!.disagreements.length, 15);
});
