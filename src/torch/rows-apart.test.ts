import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { activations } from "../nn/index.ts";
import {
  aten,
  Generator,
  inference,
  linear,
  longTensor,
  quantize,
  quantizedLinear,
  randn,
  rowsApart,
  scope,
  setNumThreads,
  type Tensor,
} from "./index.ts";

const generator = new Generator(12);
const ROWS = 40;

/** Whether what is made of some rows in the midst of others is what is made of all of them. */
function assertApart(input: Tensor, make: (rows: Tensor) => Tensor): void {
  const whole = make(input).to("float32").toFloat32Array();
  const width = whole.length / ROWS;
  fc.assert(
    fc.property(
      fc.nat(ROWS - 1),
      fc.integer({ min: 1, max: ROWS }),
      fc.constantFrom(1, 2, 3, 5),
      (start, rows, threads) => {
        const end = Math.min(ROWS, start + rows);
        setNumThreads(threads);
        scope(() => {
          const part = make(input.slice(0, start, end).contiguous())
            .to("float32")
            .toFloat32Array();
          assert.deepEqual(part, whole.subarray(start * width, end * width));
        });
      },
    ),
    { seed: 3, numRuns: 40 },
  );
}

/** Whether it is x · wᵀ + b, within what its type leaves open. */
function assertIsProduct(
  found: Tensor,
  given: readonly [input: Tensor, weight: Tensor, bias: Tensor | undefined],
  dtype: "float32" | "bfloat16" | "float16",
): void {
  const [x, w, b] = given.map((tensor) => tensor?.to("float64"));
  const expected = aten.linear(x!, w!, b);
  const size = aten.linear(x!.abs(), w!.abs(), b?.abs());
  const bound = { float32: 1e-6, bfloat16: 2 ** -8, float16: 2 ** -11 }[dtype];
  const off = found.to("float64").sub(expected).abs().div(size.add(1e-3)).amax().item();
  assert.ok(off <= bound, `off by ${off}`);
}

for (const dtype of ["float32", "bfloat16", "float16"] as const)
  describe(`rows apart in ${dtype}`, () => {
    for (const [inputs, outputs] of [
      [1, 1],
      [7, 5],
      [24, 40],
      [100, 77],
      [576, 64],
    ] as const)
      test(`a product with a weight [${outputs}, ${inputs}] gives each row the same bits, and is a product`, () =>
        inference(() =>
          scope(() => {
            const weight = randn([outputs, inputs], generator).to(dtype);
            const bias = randn([outputs], generator).to(dtype);
            const input = randn([ROWS, inputs], generator).to(dtype);
            for (const offset of [undefined, bias]) {
              const make = (rows: Tensor) => rowsApart(() => linear(rows, weight, offset));
              assertApart(input, make);
              assertIsProduct(make(input), [input, weight, offset], dtype);
            }
          }),
        ));

    for (const [inputs, outputs] of [
      [1, 1],
      [7, 5],
      [24, 16],
      [100, 77],
      [577, 50],
    ] as const)
      test(`panels of a weight [${outputs}, ${inputs}] give each row the same bits, in one go or alone, and hold the weight`, () =>
        inference(() =>
          scope(() => {
            const make = (shape: readonly number[]) => randn(shape, generator).to(dtype);
            const weights = [make([outputs, inputs]), make([3, inputs]), make([outputs + 40, inputs])];
            const biases = weights.map((weight) => make([weight.size(0)]));
            const panels = aten.panelsOf(weights);
            const sizes = weights.map((weight) => weight.size(0));
            const input = make([ROWS, inputs]);
            for (const offsets of [[], biases]) {
              const all = aten.linearsOfPanels(input, panels, sizes, offsets);
              for (const [i, weight] of weights.entries()) {
                const own = offsets.slice(i, i + 1);
                const alone = (rows: Tensor) =>
                  aten.linearsOfPanels(rows, [panels[i]!], [sizes[i]!], own)[0]!;
                assertApart(input, alone);
                assert.deepEqual(
                  all[i]!.to("float32").toFloat32Array(),
                  alone(input).to("float32").toFloat32Array(),
                );
                assertIsProduct(all[i]!, [input, weight, own[0]], dtype);
              }
            }
            for (const [i, weight] of weights.entries()) {
              const chosen = Array.from({ length: 9 }, (_, k) => (k * 5) % sizes[i]!);
              const rows = aten.rowsOfPanels(panels[i]!, longTensor(chosen), inputs, dtype);
              const expected = weight.indexSelect(0, longTensor(chosen));
              assert.deepEqual(rows.to("float32").toFloat32Array(), expected.to("float32").toFloat32Array());
            }
          }),
        ));

    for (const [name, activate] of Object.entries(activations))
      test(`${name} gives each element the same bits`, () =>
        inference(() =>
          scope(() => {
            for (const width of [5, 100, 1000])
              assertApart(randn([ROWS, width], generator).to(dtype), activate);
          }),
        ));
  });

for (const type of ["Q8_0", "Q4_0", "Q4_K"] as const)
  test(`a product with a weight in ${type} blocks gives each row the same bits`, () =>
    inference(() =>
      scope(() => {
        const blocks = quantize(randn([70, 512], generator), type);
        for (const dtype of ["float32", "bfloat16"] as const)
          assertApart(randn([ROWS, 512], generator).to(dtype), (rows) =>
            rowsApart(() => quantizedLinear(rows, blocks, type)),
          );
      }),
    ));

test("products of other types are libtorch's own", () => {
  scope(() => {
    const [x, weight] = [randn([3, 4], generator).to("float64"), randn([2, 4], generator).to("float64")];
    assert.deepEqual(rowsApart(() => linear(x, weight)).toNumbers(), linear(x, weight).toNumbers());
    assert.throws(() => aten.linearOfRows(x, weight), /apart/);
    const odd = randn([3, 5], generator);
    assert.throws(() => aten.linearOfRows(odd, randn([2, 4], generator)), /expected/);
  });
});

test("panels are refused where they are not of that weight", () => {
  scope(() => {
    const [weight, other] = [randn([20, 8], generator), randn([20, 8], generator).to("bfloat16")];
    const [panels] = aten.panelsOf([weight]);
    assert.throws(() => aten.panelsOf([weight, other]), /one floating type/);
    assert.throws(() => aten.panelsOf([]), /no weights/);
    const input = randn([2, 8], generator);
    for (const [x, outputs] of [
      [input, 40],
      [randn([2, 9], generator), 20],
      [input.to("bfloat16"), 20],
    ] as const)
      assert.throws(() => aten.linearsOfPanels(x, [panels!], [outputs], []), /expected panels/);
    assert.throws(
      () => aten.linearsOfPanels(input, [panels!], [20], [randn([3], generator)]),
      /expected a bias/,
    );
    assert.throws(() => aten.linearsOfPanels(input.to("float64"), [panels!], [20], []), /not multiplied/);
    assert.throws(() => aten.rowsOfPanels(panels!, longTensor([32]), 8, "float32"), /no output 32/);
  });
});
