// Ranks in groups: npm test -- src/distributed/groups.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import { alone } from "./communicator.ts";
import { divide, ranksOfGroup, ranksOfMachine } from "./groups.ts";

test("a group has all ranks, so many of them, or those of a machine", () => {
  const sizes = ([undefined, 2, "machine"] as const).map((given) => ranksOfGroup(given, 8, () => 4));
  assert.deepEqual(sizes, [8, 2, 4]);
  assert.deepEqual(divide(alone, "machine"), { all: alone, within: alone, across: alone });
});

test("groups that do not share the ranks evenly are refused, with those that do", () => {
  assert.throws(() => ranksOfGroup(4, 6, () => 1), {
    code: "config",
    message: "6 ranks are not shared evenly by groups of 4 (shardingGroup)",
    hint: /Give one of 1, 2, 3, 6, or leave/,
  });
});

test("machines with equally many ranks that follow each other are told by the ranks' numbers on them", () => {
  for (const [places, size] of [
    [[0], 1],
    [[0, 1, 2], 3],
    [[0, 1, 0, 1], 2],
    [[0, 0, 0], 1],
  ] as const)
    assert.equal(ranksOfMachine(places), size);
  for (const places of [
    [0, 0, 1, 1],
    [0, 1, 2, 0, 1],
    [0, 1, 0, 1, 0],
  ])
    assert.throws(() => ranksOfMachine(places), { code: "config", hint: /distribution by block/ });
});
