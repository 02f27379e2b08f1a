// Groups, sampling: npm test -- src/data
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { permutation } from "../../random/index.ts";
import { ImageGroups } from "../order/image-groups.ts";
import { EpochSampler } from "../order/sampler.ts";

describe("groups of rows about an image", () => {
  // Images with 1, 5 and 2 rows, mixed up, and two rows without one.
  const images = ["b", "a", undefined, "b", "c", "b", undefined, "b", "c", "b"];
  const imageOf = (row: number) => images[row];

  test("hold every row once an epoch, whatever their size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(1000), fc.nat(50), (size, seed, epoch) => {
        const groups = new ImageGroups(images.length, imageOf, size);
        const drawn = Array.from({ length: groups.count }, (_, i) => groups.at(i, epoch, seed));
        for (const rows of drawn) {
          assert.ok(rows.length >= 1 && rows.length <= size);
          assert.ok(rows.every((row) => imageOf(row) === imageOf(rows[0]!)));
          assert.ok(
            rows.length === 1 || imageOf(rows[0]!) !== undefined,
            "rows without an image stand alone",
          );
        }
        assert.deepEqual(
          drawn.flat().sort((a, b) => a - b),
          [...images.keys()],
        );
      }),
    );
  });

  test("meet other rows in another epoch", () => {
    const groups = new ImageGroups(images.length, imageOf, 2);
    const first = (epoch: number) => groups.at(0, epoch, 0).join();
    assert.ok(new Set(Array.from({ length: 20 }, (_, epoch) => first(epoch))).size > 5);
  });
});

describe("the sampler", () => {
  test("draws every item once an epoch, in an order of its own each time", () => {
    const sampler = new EpochSampler(10, 3);
    const epochs = [0, 1].map(() => sampler.draw(10));
    for (const [epoch, drawn] of epochs.entries()) {
      assert.deepEqual(
        drawn.map(({ index }) => index).sort(),
        Array.from({ length: 10 }, (_, i) => i),
      );
      assert.ok(drawn.every((item) => item.epoch === epoch));
    }
    assert.notDeepEqual(...(epochs.map((drawn) => drawn.map(({ index }) => index)) as [number[], number[]]));
  });

  test("goes on from any saved state", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(100), fc.nat(2 ** 31), (count, before, seed) => {
        const sampler = new EpochSampler(count, seed);
        sampler.draw(before);
        const resumed = new EpochSampler(count, seed);
        resumed.state = JSON.parse(JSON.stringify(sampler.state));
        assert.deepEqual(resumed.draw(50), sampler.draw(50));
      }),
    );
  });

  test("refuses a state of other data", () => {
    const { state } = new EpochSampler(10, 1);
    assert.throws(() => {
      new EpochSampler(10, 2).state = state;
    }, /10 items with seed 1; here are 10 items, and the seed is 2/);
    assert.throws(() => {
      new EpochSampler(11, 1).state = state;
    }, /here are 11 items/);
    assert.throws(() => new EpochSampler(0, 1), /nothing to train on/);
  });

  test("orders are fair: each item is first about equally often", () => {
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < 4000; seed++) counts[permutation(4, seed)[0]!]!++;
    assert.ok(
      counts.every((count) => Math.abs(count - 1000) < 120),
      `${counts}`,
    );
  });
});
