import assert from "node:assert/strict";
import { test } from "node:test";
import type { LlavaError } from "../errors.ts";
import { RandomSource } from "./xoshiro.ts";

test("words are those of the authors' xoshiro128** from state 1, 2, 3, 4", () => {
  const random = new RandomSource([1, 2, 3, 4]);
  const expected = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849];
  assert.deepEqual(
    expected.map(() => random.nextWord()),
    expected,
  );
});

test("a seed becomes the first outputs of SplitMix64, and numbers take 53 bits of two words", () => {
  const random = new RandomSource(1234567);
  const [first, second] = [6457827717110365317n, 3203168211198807973n];
  assert.deepEqual(
    random.state,
    [first % 2n ** 32n, first >> 32n, second % 2n ** 32n, second >> 32n].map(Number),
  );
  assert.deepEqual([random.next(), random.next()], [0.4581609298502769, 0.2597213476304633]);
});

test("a source goes on from the state of another", () => {
  const random = new RandomSource(5);
  random.next();
  const resumed = new RandomSource(random.state);
  assert.equal(resumed.next(), random.next());
});

test("a seed that is no whole number is refused", () => {
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.throws(
      () => new RandomSource(seed),
      (error: LlavaError) => error.code === "usage",
    );
  }
});
