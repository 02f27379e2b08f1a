import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TextIndex } from "./text-overlap.ts";
import { wilsonInterval } from "./wilson.ts";

test("Wilson's interval has the values of its formula worked out by hand", () => {
  // (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n) for 5 of 100 and z 1.96
  const [low, high] = wilsonInterval(5, 100);
  assert.ok(Math.abs(low - 0.02154) < 1e-4 && Math.abs(high - 0.11175) < 1e-4, `${low} ${high}`);
  assert.equal(wilsonInterval(0, 120)[0], 0);
  assert.ok(Math.abs(wilsonInterval(0, 120)[1] - 0.03102) < 1e-4);
  assert.equal(wilsonInterval(7, 7)[1], 1);
  assert.deepEqual(wilsonInterval(0, 0), [0, 1]);
});

describe("overlap of texts", () => {
  const long = "please tell me what the man in the red coat is doing near the old bridge";
  const middle = "what is the small dog on the sofa chewing";
  const items = [
    { id: "long", question: `${long}?` },
    { id: "middle", question: `${middle}?` },
    { id: "short", question: "Describe the cat." },
    { id: "common", question: "What is in this photo?" },
  ];
  const overlapsOf = (rows: readonly (readonly string[])[]): string[] => {
    const index = new TextIndex(items);
    for (const [row, turns] of rows.entries()) index.add(`row ${row}`, turns);
    return index.overlaps().map(({ item, row }) => `${item}: ${row}`);
  };

  test("is a run of 13 words, of 8 in middling questions, or the whole of a short one", () => {
    const part = long.split(" ").slice(1, 14).join(" ");
    assert.deepEqual(overlapsOf([["Hello.", `And now, ${part.toUpperCase()}!`]]), ["long: row 0"]);
    assert.deepEqual(overlapsOf([[long.split(" ").slice(0, 12).join(" ")]]), []);
    assert.deepEqual(overlapsOf([[`what is the small dog on the sofa  doing`]]), ["middle: row 0"]);
    assert.deepEqual(overlapsOf([["describe the cat"], ["Please describe the cat"]]), ["short: row 0"]);
  });

  test("is not what many rows have", () => {
    const rows = Array.from({ length: 11 }, () => ["What is in this photo?"]);
    assert.deepEqual(overlapsOf(rows), []);
    assert.equal(overlapsOf(rows.slice(1)).length, 10);
  });
});
