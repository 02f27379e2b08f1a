// Sequences end to end beside masks over blocks: npm test -- src/nn/packed-attention.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { assertClose } from "../../test/support/close.ts";
import {
  arange,
  cat,
  Generator,
  randn,
  scaledDotProductAttention,
  scope,
  type Tensor,
} from "../torch/index.ts";
import { packSamples, placeAttention } from "../training/index.ts";
import { attend } from "./index.ts";
import { attendPacked, type PackedKernel, packedSequences, takesPacked } from "./packed-attention.ts";

/** What the kernel on GPUs does, sequence by sequence: causal from the end. */
const oneByOne: PackedKernel = (query, key, value, { lengths }) => {
  let [atQuery, atKey] = [0, 0];
  const outputs = lengths.map(([queries, keys]) => {
    const part = (x: Tensor, at: number, count: number): Tensor =>
      x
        .slice(0, at, at + count)
        .transpose(0, 1)
        .unsqueeze(0);
    const mask = arange(0, keys).le(arange(keys - queries, keys).unsqueeze(1));
    const [k, v] = [part(key, atKey, keys), part(value, atKey, keys)];
    const output = scaledDotProductAttention(part(query, atQuery, queries), k, v, {
      mask,
      groupedQuery: true,
    });
    atQuery += queries;
    atKey += keys;
    return output.select(0, 0).transpose(0, 1);
  });
  return cat(outputs, 0);
};

const ids = (length: number): { inputIds: number[]; labels: number[] } => ({
  inputIds: Array<number>(length).fill(1),
  labels: Array<number>(length).fill(1),
});

describe("sequences end to end", () => {
  test("give what masks over blocks give, and the same gradients", () => {
    const lengths = fc.integer({ min: 2, max: 40 });
    const sample = fc.record({ own: lengths, continuations: fc.array(lengths, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 4 }), (samples) =>
        scope(() => {
          // Long enough for blocks.
          const { attention } = packSamples(
            [{ own: 260, continuations: [] }, ...samples].map(({ own, continuations }) => ({
              ...ids(own),
              continuations: continuations.map(ids),
            })),
            1,
          );
          assert.ok("blocks" in attention);
          const { blocks } = attention;
          const width = blocks.reduce((sum, { length }) => sum + length, 0);
          const draw = (heads: number): Tensor =>
            randn([1, heads, width, 8], new Generator(heads), { dtype: "float64" });
          const outputs = [true, false].map((packed) => {
            const given = [draw(4), draw(2), draw(2)].map((x) => x.requiresGrad_()) as [
              Tensor,
              Tensor,
              Tensor,
            ];
            const output = packed
              ? attendPacked(...given, packedSequences(blocks, "cpu"), oneByOne)
              : attend(...given, { blocks });
            output
              .mul(randn(output.shape, new Generator(9), { dtype: "float64" }))
              .sum()
              .backward();
            return [output.detach(), ...given.map(({ grad }) => grad!)];
          });
          for (const [i, tensor] of outputs[0]!.entries()) assertClose(tensor, outputs[1]![i]!, 1e-9, `${i}`);
        }),
      ),
      { numRuns: 20 },
    );
  });

  test("begin and end where blocks do; a prefix's keys are there for each branch", () => {
    const { lengths, queryStarts, keyStarts, longest, keyPlaces } = packedSequences(
      [{ length: 3 }, { length: 5, branches: [2, 1, 2] }],
      "cpu",
    );
    assert.deepEqual(lengths, [
      [3, 3],
      [2, 2],
      [1, 3],
      [2, 4],
    ]);
    assert.deepEqual(queryStarts.toNumbers(), [0, 3, 5, 6, 8]);
    assert.deepEqual(keyStarts.toNumbers(), [0, 3, 5, 8, 12]);
    assert.deepEqual([queryStarts.dtype, longest], ["int32", [3, 4]]);
    assert.deepEqual(keyPlaces!.toNumbers(), [0, 1, 2, 3, 4, 3, 4, 5, 3, 4, 6, 7]);
    assert.equal(packedSequences([{ length: 3 }], "cpu").keyPlaces, undefined);
  });

  test("are for GPUs, which alone have the kernel", () => {
    assert.equal(takesPacked(randn([1, 1, 2, 8], new Generator(1))), false);
    const { attention } = packSamples([{ ...ids(300), continuations: [] }], 1);
    assert.equal("packed" in placeAttention(attention, "cpu"), false);
  });
});
