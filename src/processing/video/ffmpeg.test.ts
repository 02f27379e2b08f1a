import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenBy } from "./ffmpeg.ts";

test("frames are chosen by an expression that is nowhere deep", () => {
  for (const count of [1, 2, 3, 101, 1000]) {
    const indices = Array.from({ length: count }, (_, i) => 7 * i);
    const chosen = chosenBy({ pts: undefined }, indices);
    assert.deepEqual(
      [...chosen.matchAll(/eq\(n,(\d+)\)/g)].map(([, index]) => Number(index)),
      indices,
    );
    let [depth, deepest] = [0, 0];
    for (const letter of chosen) {
      if (letter === "(") deepest = Math.max(deepest, ++depth);
      if (letter === ")") depth--;
    }
    assert.ok(deepest <= 1 + Math.ceil(Math.log2(count + 1)), `${count} frames: ${deepest}`);
    // A sum of several is read one inside the other.
    assert.doesNotMatch(chosen, /eq\(n,\d+\)\+eq\(n,\d+\)\+/);
  }
});
