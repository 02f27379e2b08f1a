import assert from "node:assert/strict";
import { test } from "node:test";
import { nestingOf } from "./nesting.ts";

const list = (reference: string) => ({ type: "array", items: { $ref: reference } });

test("references count where they lead, once, and in the longest order where they go round", () => {
  assert.equal(nestingOf({ type: "string" }), 1);
  assert.equal(nestingOf({ properties: { a: { properties: { b: {} } } } }), 5);
  const $defs = { leaf: { type: "null" }, list: list("#/$defs/leaf"), lists: list("#/$defs/list") };
  // The root with its definitions (4), then lists, list and leaf (2, 2 and 1).
  assert.equal(nestingOf({ $defs, $ref: "#/$defs/lists" }), 4 + 5);
  const round = { a: list("#/$defs/b"), b: list("#/$defs/c"), c: list("#/$defs/a") };
  assert.equal(nestingOf({ $defs: round, anyOf: [{ $ref: "#/$defs/c" }, { $ref: "#/$defs/a" }] }), 4 + 6);
  assert.equal(nestingOf({ type: "array", items: { $ref: "#" } }), 2 + 2);
});

test("where places have names of their own, all objects count", () => {
  const $defs = { a: { $anchor: "x", type: "null" }, b: { type: "null" } };
  assert.equal(nestingOf({ $defs, $ref: "#x" }), 4);
  assert.throws(() => nestingOf(Array(200_001).fill(0)), RangeError);
});
