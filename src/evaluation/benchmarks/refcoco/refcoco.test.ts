import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import { type Box, inPaddedSquare, overlap, readBox } from "./box.ts";
import writeExample from "./example.ts";
import references from "./index.ts";

const refcoco = references[0]!;

test("the first four numbers in brackets are the box", () => {
  assert.deepEqual(readBox("It is at [0.1, 0.25,.5,1.] or [0, 0, 1, 1]."), [0.1, 0.25, 0.5, 1]);
  for (const answer of ["", "0.1, 0.2, 0.3, 0.4", "[0.1, 0.2, 0.3]", "[a, b, c, d]"])
    assert.equal(readBox(answer), undefined, answer);
});

test("overlap is symmetric, at most 1, and unmoved by padding", () => {
  const side = fc.double({ min: 0, max: 1, noNaN: true });
  const box = fc
    .tuple(side, side, side, side)
    .map(([a, b, c, d]): Box => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]);
  fc.assert(
    fc.property(box, box, fc.integer({ min: 1, max: 9 }), (first, second, height) => {
      const found = overlap(first, second);
      assert.ok(found >= 0 && found <= 1 + 1e-12);
      assert.equal(found, overlap(second, first));
      const moved = overlap(inPaddedSquare(first, 4, height), inPaddedSquare(second, 4, height));
      const areas = [first, second].map(([left, top, right, bottom]) => (right - left) * (bottom - top));
      if (Math.min(...areas) > 1e-3) assert.ok(Math.abs(moved - found) < 1e-6, `${moved} ${found}`);
    }),
  );
  assert.equal(overlap([0, 0, 2, 1], [1, 0, 3, 1]), 1 / 3);
});

test("a box is in 0…1 of the padded square, or of the image for the sake of others' scores", async () => {
  const data = temporaryFolder("llava-refcoco");
  await writeExample(data);
  // 427 by 640 pixels: 106.5 empty columns on the left; the box reaches from 103.93 to 238.15.
  const expected = [
    [false, "[0.33, 0.47, 0.54, 0.75]"],
    [true, "[0.24, 0.47, 0.56, 0.75]"],
  ] as const;
  for (const [compat, truth] of expected) {
    const items: BenchmarkItem[] = [];
    for await (const item of refcoco.load({ data, compat, split: "testA" })) items.push(item);
    assert.equal(items.length, 2);
    const outcomes = [refcoco.outcome(items[0]!, truth), refcoco.outcome(items[1]!, "nowhere")];
    assert.equal(outcomes[0]!.truth, truth);
    const scores = Object.fromEntries(refcoco.aggregate(outcomes).map(({ name, value }) => [name, value]));
    assert.deepEqual([scores["accuracy@0.5"], scores["accuracy@0.9"], scores["centre"]], [50, 50, 50]);
  }
  await writeFile(join(data, "refcoco/refs(unc).p"), "(l(dS'split'\n");
  await assert.rejects(
    refcoco.load({ data })[Symbol.asyncIterator]().next(),
    /refs\(unc\)\.p: cannot be read as a pickle/,
  );
});

test("an object may be named by any of its sentences", async () => {
  const naming = references.find(({ name }) => name === "refcocog-naming")!;
  const data = temporaryFolder("llava-refcoco");
  await writeExample(data);
  const items: BenchmarkItem[] = [];
  for await (const item of naming.load({ data, split: "test" })) items.push(item);
  const outcomes = items.map((item) => naming.outcome(item, "the lady with the blue shirt"));
  const scores = Object.fromEntries(naming.aggregate(outcomes).map(({ name, value }) => [name, value]));
  assert.deepEqual([scores["bleu-4"], scores["rouge-l"]], [100, 100]);
});
