import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../test/support/close.ts";
import { checkGradients } from "../../test/support/gradients.ts";
import { arange, cat, type DType, Generator, randn, stack, type Tensor, tensor } from "../torch/index.ts";
import { type AttentionMask, attend, causalMask } from "./index.ts";

const generator = new Generator(2);
const normal = (shape: number[], dtype: DType = "float64"): Tensor => randn(shape, generator, { dtype });

/** softmax(q·kᵀ/√d) v written out, one head at a time; `sees(query, key)` in rows of 0 and 1. */
function byHand(query: Tensor, key: Tensor, value: Tensor, sees: Tensor): Tensor {
  const [batch, heads, queries, headDim] = query.shape as [number, number, number, number];
  const group = heads / key.size(1);
  const rows = Array.from({ length: batch }, (_, b) => {
    const outputs = Array.from({ length: heads }, (_, h) => {
      const [q, k, v] = [query, key, value].map((x, i) =>
        x.select(0, b).select(0, i === 0 ? h : Math.floor(h / group)),
      );
      const scores = q!.matmul(k!.transpose(0, 1)).div(Math.sqrt(headDim));
      const weights = scores.exp().mul(sees.select(0, sees.size(0) === 1 ? 0 : b));
      return weights.div(weights.sum([-1], true)).matmul(v!);
    });
    return stack(outputs, 1).reshape([queries, heads * headDim]);
  });
  return stack(rows);
}

const ones = (queries: number, keys: number): Tensor =>
  tensor(Array<number>(queries * keys).fill(1), { shape: [1, queries, keys] });
/** [1, queries, past + queries] */
const lower = (queries: number, past: number): Tensor =>
  arange(0, past + queries)
    .le(arange(past, past + queries).unsqueeze(1))
    .to("float32")
    .unsqueeze(0);

describe("attention equals softmax written out", () => {
  for (const keyHeads of [4, 2, 1])
    for (const [queries, past] of [
      [5, 0],
      [5, 3],
      [1, 6],
      [3, 300], // beyond the length up to which masks are applied by plain products
    ] as const)
      test(`4 query heads over ${keyHeads}, ${queries} queries after ${past}`, () => {
        const query = normal([2, 4, queries, 8]);
        const [key, value] = [
          normal([2, keyHeads, past + queries, 8]),
          normal([2, keyHeads, past + queries, 8]),
        ];
        const causal = byHand(query, key, value, lower(queries, past));
        assertClose(attend(query, key, value, causalMask(queries, past, "cpu")), causal, 1e-6, "causal");
        const everything = byHand(query, key, value, ones(queries, past + queries));
        assertClose(attend(query, key, value, { mask: undefined }), everything, 1e-6, "unmasked");
        const seen = normal([2, queries, past + queries])
          .gt(0)
          .add(lower(queries, past).eq(1))
          .to("float64");
        const masks: AttentionMask[] = [
          { mask: seen.gt(0).unsqueeze(1) },
          { mask: seen.sub(1).mul(1e30).unsqueeze(1) }, // additive: 0 or −1e30
        ];
        for (const mask of masks)
          assertClose(attend(query, key, value, mask), byHand(query, key, value, seen), 1e-6, "masked");
      });
});

test("an explicit causal mask and the causal flag agree", () => {
  const [query, key, value] = [normal([1, 2, 6, 8]), normal([1, 1, 6, 8]), normal([1, 1, 6, 8])];
  const mask = lower(6, 0).eq(1).unsqueeze(0);
  assertClose(
    attend(query, key, value, { mask }),
    attend(query, key, value, { causal: true }),
    1e-6,
    "causal",
  );
});

test("blocks see nothing of each other, whatever their lengths and masks", () => {
  const backwards = lower(4, 0).squeeze(0).transpose(0, 1).eq(1).reshape([1, 1, 4, 4]);
  const blocks = [{ length: 5 }, { length: 4, mask: backwards }, { length: 1 }, { length: 300 }];
  const [query, key, value] = [normal([1, 4, 310, 8]), normal([1, 2, 310, 8]), normal([1, 2, 310, 8])];
  const parts = [query, key, value].map((x) => x.split([5, 4, 1, 300], 2));
  const alone = blocks.map(({ length, mask }, i) => {
    const sees = mask ? mask.squeeze(0).to("float64") : lower(length, 0);
    return byHand(parts[0]![i]!, parts[1]![i]!, parts[2]![i]!, sees);
  });
  assertClose(attend(query, key, value, { blocks }), cat(alone, 1), 1e-6, "blocks");
});

test("half precision stays near float32", () => {
  const shapes = [
    [1, 4, 6, 16],
    [1, 2, 6, 16],
    [1, 2, 6, 16],
  ];
  const [query, key, value] = shapes.map((shape) => normal(shape, "float32")) as [Tensor, Tensor, Tensor];
  const mask = { mask: lower(6, 0).eq(1).unsqueeze(0) };
  const half = [query, key, value].map((x) => x.to("bfloat16")) as [Tensor, Tensor, Tensor];
  const actual = attend(...half, mask);
  assert.equal(actual.dtype, "bfloat16");
  assertClose(actual, attend(query, key, value, mask), 0.03, "bfloat16");
});

test("masks that need no tensor have none", () => {
  assert.deepEqual(causalMask(7, 0, "cpu"), { causal: true });
  assert.deepEqual(causalMask(1, 9, "cpu"), { mask: undefined });
  const { mask } = causalMask(2, 1, "cpu") as { mask: Tensor };
  assert.deepEqual(mask.shape, [1, 1, 2, 3]);
  assert.deepEqual(mask.toNumbers(), [1, 1, 0, 1, 1, 1]);
});

describe("gradients", () => {
  const inputs = (keyHeads: number) => [
    normal([1, 4, 5, 4]),
    normal([1, keyHeads, 5, 4]),
    normal([1, keyHeads, 5, 4]),
  ];
  const cases: Record<string, AttentionMask> = {
    causal: { causal: true },
    unmasked: { mask: undefined },
    masked: { mask: lower(5, 0).eq(1).unsqueeze(0) },
    "in blocks": { blocks: [{ length: 2 }, { length: 3 }] },
  };
  for (const [name, mask] of Object.entries(cases))
    for (const keyHeads of [4, 2])
      test(`${name}, 4 heads over ${keyHeads}`, () =>
        checkGradients(inputs(keyHeads), ([q, k, v]) => attend(q!, k!, v!, mask)));
  test("one query for a group of heads", () =>
    checkGradients([normal([1, 4, 1, 4]), normal([1, 2, 5, 4]), normal([1, 2, 5, 4])], ([q, k, v]) =>
      attend(q!, k!, v!, { mask: undefined }),
    ));
});
