import assert from "node:assert/strict";
import { test } from "node:test";
import { collectGarbage } from "../../../test/support/garbage.ts";
import { liveTensors, scope, type Tensor, tensor } from "../../torch/index.ts";
import { KeyValueCache } from "../index.ts";

const create = () =>
  new KeyValueCache({
    layers: 2,
    batch: 1,
    heads: 1,
    headDim: 2,
    capacity: 4,
    dtype: "float32",
    device: "cpu",
  });
/** [1, 1, T, 2] with both elements of a position equal. */
const rows = (...values: number[]): Tensor =>
  tensor(
    values.flatMap((value) => [value, value]),
    { shape: [1, 1, values.length, 2] },
  );
const positions = (stored: Tensor): number[] => stored.select(3, 0).toNumbers();

test("each layer's keys and values come back with all before them", () => {
  using cache = create();
  assert.deepEqual(cache.update(0, rows(1, 2), rows(-1, -2)).map(positions), [
    [1, 2],
    [-1, -2],
  ]);
  assert.equal(cache.length, 0); // the other layer has still to write
  assert.deepEqual(cache.update(1, rows(5, 6), rows(7, 8)).map(positions), [
    [5, 6],
    [7, 8],
  ]);
  cache.advance(2);
  assert.equal(cache.length, 2);
  assert.deepEqual(cache.update(0, rows(3), rows(-3)).map(positions), [
    [1, 2, 3],
    [-1, -2, -3],
  ]);
});

test("truncated positions are written again", () => {
  using cache = create();
  cache.update(0, rows(1, 2, 3), rows(1, 2, 3));
  cache.advance(3);
  cache.truncate(1);
  assert.equal(cache.length, 1);
  assert.deepEqual(cache.update(0, rows(9), rows(9)).map(positions), [
    [1, 9],
    [1, 9],
  ]);
  cache.truncate(0);
  assert.deepEqual(cache.update(0, rows(4, 5, 6, 7), rows(4, 5, 6, 7)).map(positions)[0], [4, 5, 6, 7]);
});

test("more positions than fit are refused, and nothing is lost", () => {
  using cache = create();
  cache.update(0, rows(1, 2, 3), rows(1, 2, 3));
  cache.advance(3);
  assert.throws(() => cache.update(0, rows(4, 5), rows(4, 5)), {
    name: "LlavaError",
    code: "prompt",
    message: "5 positions do not fit a cache of 4",
  });
  assert.deepEqual(cache.update(0, rows(4), rows(4)).map(positions)[0], [1, 2, 3, 4]);
  for (const length of [-1, 4, Number.NaN]) assert.throws(() => cache.truncate(length), { code: "usage" });
});

test("a cache outlives the scope it is made in, until it is disposed of", () => {
  collectGarbage();
  const before = liveTensors();
  const cache = scope(create);
  assert.equal(liveTensors() - before, 4); // keys and values of two layers
  scope(() => void cache.update(0, rows(1), rows(1)));
  assert.equal(liveTensors() - before, 4);
  cache[Symbol.dispose]();
  assert.equal(liveTensors(), before);
});

test("a row is bound to the rope factor that its keys were written under, until it is cleared", () => {
  using cache = create();
  cache.setRopeFactor(0, 2);
  cache.update(0, rows(1), rows(-1));
  cache.advance(1);
  cache.setRopeFactor(0, 2);
  assert.throws(() => cache.setRopeFactor(0, 3), {
    code: "usage",
    message: /1 positions under the rope factor 2/,
  });
  assert.throws(() => cache.setRopeFactor(0, undefined), { code: "usage" });
  cache.clear(0);
  assert.deepEqual(cache.ropeFactors, [undefined]);
  cache.setRopeFactor(0, 3);
});
