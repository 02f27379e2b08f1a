import assert from "node:assert/strict";
import { test } from "node:test";
import { PythonRandom } from "./random.ts";

const draw = (random: PythonRandom, list: readonly string[], count: number): string =>
  Array.from({ length: count }, () => random.choice(list)).join("");

test("choices are those of Python after the same seed", () => {
  // random.seed(42); [random.choice("ABCD") for _ in range(12)], then 8 of "ABCDE", one of "A".
  const random = new PythonRandom(42);
  assert.equal(draw(random, [..."ABCD"], 12), "AACBBBAADAAA");
  assert.equal(draw(random, [..."ABCDE"], 8), "BBEEAEBE");
  assert.equal(draw(random, ["A"], 1), "A");
  // random.seed(2**40 + 7); [random.choice(range(1000)) for _ in range(5)]
  const large = new PythonRandom(2 ** 40 + 7);
  const numbers = Array.from({ length: 1000 }, (_, index) => String(index));
  assert.deepEqual(
    Array.from({ length: 5 }, () => large.choice(numbers)),
    ["628", "765", "834", "960", "967"],
  );
});

test("the state is twisted again when its words are used up", () => {
  const random = new PythonRandom(0);
  for (let index = 0; index < 2000; index++) random.choice(["0", "1", "2"]);
  // random.seed(0); for _ in range(2000): random.choice("012"); then [random.choice("0123456789") for _ in range(10)]
  assert.equal(draw(random, [..."0123456789"], 10), "3522195206");
});
