import assert from "node:assert/strict";
import { test } from "node:test";
import { findFlips } from "./flips.ts";
import { wilsonInterval } from "./scores.ts";
import { Shortlist, worstFirst } from "./selection.ts";

const row = (id: string, credit: number) => ({ id, credit, answer: id, prompt: "", images: [] });

test("a shortlist keeps what sorting all would put first", () => {
  const rows = Array.from({ length: 5000 }, (_, index) =>
    row(`q${(index * 7919) % 5000}`, (index % 10) / 10),
  );
  const list = new Shortlist(20, worstFirst);
  for (const each of rows) list.add(each);
  assert.deepEqual(list.take(), [...rows].sort(worstFirst).slice(0, 20));
  assert.ok(list.take().every(({ credit }) => credit === 0));
});

test("flips count changes of half of full marks among common questions only", async () => {
  async function* stream(credits: Readonly<Record<string, number>>) {
    for (const [id, credit] of Object.entries(credits)) yield row(id, credit);
  }
  const flips = await findFlips(
    stream({ a: 0, b: 1, c: 0.3, d: 0.5, only: 1 }),
    stream({ b: 0, a: 0.5, c: 0.7, d: 1, other: 0 }),
    1,
  );
  assert.deepEqual([flips.common, flips.gained, flips.lost], [4, 2, 1]);
  assert.equal(flips.gains.length, 1);
  assert.equal(flips.losses[0]!.after.id, "b");
});

test("Wilson's interval agrees with worked examples", () => {
  const near = (actual: readonly number[], expected: readonly number[]): void =>
    assert.deepEqual(
      actual.map((value) => value.toFixed(4)),
      expected.map((value) => value.toFixed(4)),
    );
  near(wilsonInterval(0.5, 10), [0.2366, 0.7634]);
  near(wilsonInterval(0, 10), [0, 0.2775]);
  near(wilsonInterval(1, 10), [0.7225, 1]);
});
