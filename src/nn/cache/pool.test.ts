import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/support/close.ts";
import { cat, Generator, liveTensors, randn, type Tensor } from "../../torch/index.ts";
import { attend, type CacheRow, CacheStep, KeyValueCache, KeyValuePool } from "../index.ts";

const [heads, headDim] = [2, 4];
const newCache = (size: { batch: number; capacity: number }) =>
  new KeyValueCache({ layers: 1, heads, headDim, dtype: "float32", device: "cpu", ...size });
const generator = new Generator(7);
/** [1, T, H, d] */
const drawn = (tokens: number, by = heads) => randn([1, tokens, by, headDim], generator);
const swapped = (x: Tensor) => x.transpose(1, 2);
const catTokens = (before: Tensor, added: Tensor) => cat([before, added], 1);

test("rows of like room lie in one cache, others apart; memory goes with the last row", () => {
  const before = liveTensors();
  using pool = new KeyValuePool(newCache);
  const [[first], pair, [long], [alike]] = pool.take([
    { rows: 1, capacity: 10 },
    { rows: 2, capacity: 9 },
    { rows: 1, capacity: 100 },
    { rows: 1, capacity: 8 },
  ]) as [[CacheRow], CacheRow[], [CacheRow], [CacheRow]];
  assert.ok([...pair, alike].every(({ cache }) => cache === first.cache));
  assert.equal(pair[1]!.row, pair[0]!.row + 1);
  assert.notEqual(long.cache, first.cache);
  assert.equal(pool.capacity, 4 * 10 + 100);
  for (const row of pair) pool.give(row);
  assert.equal(pool.capacity, 4 * 10 + 100);
  const [again] = pool.take([{ rows: 2, capacity: 8 }]);
  assert.deepEqual(again, pair);
  assert.equal(pool.take([{ rows: 1, capacity: 4 }])[0]![0]!.cache.capacity, 4, "too much room is not taken");
  for (const row of [first, ...pair, alike, long]) pool.give(row);
  assert.equal(pool.capacity, 4);
  pool[Symbol.dispose]();
  assert.equal(liveTensors(), before);
});

test("where there is no memory for all rows, none is taken", () => {
  using pool = new KeyValuePool((size) => {
    if (size.capacity < 50) throw new RangeError("no memory");
    return newCache(size);
  });
  assert.throws(
    () =>
      pool.take([
        { rows: 1, capacity: 100 },
        { rows: 1, capacity: 10 },
      ]),
    /no memory/,
  );
  assert.equal(pool.capacity, 0);
});

test("rows of any lengths side by side attend to their own keys alone, whatever lay in the memory before", () => {
  const lengths = [3, 150, 9, 0, 5];
  using cache = newCache({ batch: lengths.length, capacity: 200 });
  // What is left over from an earlier use may be no number.
  const poison = randn([lengths.length, heads, 200, headDim], generator).mul(Number.NaN);
  cache.update(0, poison, poison);
  cache.advance(200);
  const held = lengths.map((length) => [drawn(length), drawn(length)] as [Tensor, Tensor]);
  for (const [row, length] of lengths.entries()) {
    cache.clear(row);
    if (length === 0) continue;
    const step = new CacheStep([{ cache, row, tokens: length }]);
    step.attend(0, swapped(drawn(length, 2 * heads)), swapped(held[row]![0]), swapped(held[row]![1]));
    step.advance();
  }
  assert.deepEqual(cache.lengths, lengths);
  for (const tokens of [
    [1, 1, 1, 1, 1],
    [2, 2, 2, 2, 2],
    [1, 4, 1, 7, 1],
  ]) {
    const step = new CacheStep(tokens.map((count, row) => ({ cache, row, tokens: count })));
    const parts = tokens.map((count) => [drawn(count, 2 * heads), drawn(count), drawn(count)] as const);
    const joined = [0, 1, 2].map((which) =>
      parts
        .map((part) => part[which]!)
        .reduce((all, part) => catTokens(all, part))
        .view([...step.shape, which === 0 ? 2 * heads : heads, headDim])
        .transpose(1, 2),
    ) as [Tensor, Tensor, Tensor];
    const attended = step.attend(0, ...joined).flatten(0, 1);
    step.advance();
    let start = 0;
    for (const [row, [query, key, value]] of parts.entries()) {
      const [keys, values] = [catTokens(held[row]![0], key), catTokens(held[row]![1], value)];
      held[row] = [keys, values];
      const end = start + tokens[row]!;
      for (let at = start; at < end; at++) {
        const seen = keys.size(1) - (end - at - 1);
        const expected = attend(
          swapped(query.slice(1, at - start, at - start + 1)),
          swapped(keys.slice(1, 0, seen)),
          swapped(values.slice(1, 0, seen)),
          { mask: undefined },
        );
        assertClose(
          attended.slice(0, at, at + 1),
          expected.flatten(0, 1),
          1e-5,
          `row ${row}, position ${at}`,
        );
      }
      start = end;
    }
  }
});

test("rows take over what others hold, with their lengths", () => {
  using cache = newCache({ batch: 3, capacity: 8 });
  for (const [row, tokens] of [2, 4, 1].entries()) {
    const step = new CacheStep([{ cache, row, tokens }]);
    const filled = drawn(tokens).mul(0).add(row);
    step.attend(0, swapped(filled), swapped(filled), swapped(filled));
    step.advance();
  }
  cache.copyRows(cache, [1, 0], 1);
  assert.deepEqual(cache.lengths, [2, 4, 2]);
  const last = drawn(1).mul(0);
  const firstKeys = [0, 1, 2].map((row) => {
    const [keys] = cache.update(0, swapped(last), swapped(last), cache.span(row, 1, 1));
    return keys.select(1, 0).select(2, 0).toNumbers();
  });
  assert.deepEqual(firstKeys, [
    [0, 0, 0],
    [1, 1, 1, 1, 0],
    [0, 0, 0],
  ]);
  cache.truncate(3);
  assert.deepEqual(cache.lengths, [2, 3, 2]);
});
