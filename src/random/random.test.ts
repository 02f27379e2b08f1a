import assert from "node:assert/strict";
import { test } from "node:test";
import { mixSeed, mulberry32, permutation, pick, seedOfText, shuffled } from "./index.ts";

const first = (random: () => number): number[] => [random(), random()];

test("a seed gives the numbers that it has given since results were first published", () => {
  assert.deepEqual(first(mulberry32(0)), [0.26642920868471265, 0.0003297457005828619]);
  assert.deepEqual(first(mulberry32(1)), [0.6270739405881613, 0.002735721180215478]);
  assert.deepEqual(first(mulberry32(2 ** 32 - 1)), [0.8964226141106337, 0.189478256739676]);
});

test("numbers and texts are mixed into the seeds that they have always given", () => {
  assert.deepEqual([mixSeed(0), mixSeed(1, 2, 3), mixSeed(2 ** 31, -1)], [493009611, 2901138804, 1978203190]);
  const seeds = [seedOfText(0, ""), seedOfText(7, "rows a.jpg"), seedOfText(-3, "日本")];
  assert.deepEqual(
    seeds.map((seed) => mulberry32(seed)()),
    [0.3588899802416563, 0.5858735933434218, 0.8566333558410406],
  );
});

test("lists have the orders that they have always had", () => {
  assert.deepEqual([...permutation(10, 3)], [9, 5, 6, 1, 2, 4, 8, 3, 0, 7]);
  const letters = [..."abcdefgh"];
  assert.equal(shuffled(letters, mulberry32(seedOfText(5, ""))).join(""), "fchadegb");
  const picked = [0, 1, 2, 3].map((seed) => pick(letters, mulberry32(seedOfText(seed, ""))));
  assert.equal(picked.join(""), "cbeh");
});
