import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  aten,
  backward,
  fastDType,
  Generator,
  linear,
  ones,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  zeros,
} from "./index.ts";

const generator = new Generator(11);
const draw = (...shape: number[]): Tensor => randn(shape, generator).to("bfloat16");

/** Largest |actual − expected| in units of what bfloat16's 8 bits leave open for sums of `magnitude`. */
function excess(actual: Tensor, expected: Tensor, magnitude: Tensor): number {
  const difference = actual.to("float64").sub(expected).abs();
  return difference
    .div(magnitude.mul(2 ** -7).add(1e-30))
    .amax()
    .item();
}

describe("one row of bfloat16, which a kernel of its own multiplies", () => {
  test("gives x·Wᵀ + b for sizes that are no multiples of anything, whatever comes before the last dimension", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        (width, rows, dims, withBias) =>
          scope(() => {
            const shape = [...Array<number>(dims - 1).fill(1), width];
            const [x, weight] = [draw(...shape), draw(rows, width)];
            const bias = withBias ? draw(rows) : undefined;
            const output = linear(x, weight, bias);
            assert.deepEqual([output.dtype, output.shape], ["bfloat16", [...shape.slice(0, -1), rows]]);
            const [wideX, wideW, wideB] = [x.to("float64"), weight.to("float64"), bias?.to("float64")];
            const expected = aten.linear(wideX, wideW, wideB);
            const magnitude = aten.linear(wideX.abs(), wideW.abs(), wideB?.abs());
            assert.ok(excess(output, expected, magnitude) <= 1);
          }),
      ),
      { numRuns: 60 },
    );
  });

  test("takes rows that do not lie side by side, and weights that do not", () => {
    const [x, weight] = [draw(64, 1), draw(64, 32)];
    const across = x.transpose(0, 1); // [1, 64]
    const expected = linear(across.contiguous(), weight.transpose(0, 1).contiguous());
    assert.deepEqual(linear(across, weight.transpose(0, 1).contiguous()).toNumbers(), expected.toNumbers());
    const wide = [across.to("float64"), weight.transpose(0, 1).to("float64")] as const;
    const magnitude = aten.linear(wide[0].abs(), wide[1].abs());
    assert.ok(excess(linear(across, weight.transpose(0, 1)), aten.linear(...wide), magnitude) <= 1);
    const strided = draw(1, 128).slice(1, 0, 128, 2); // every other element
    assert.deepEqual(
      linear(strided, weight.transpose(0, 1).contiguous()).toNumbers(),
      linear(strided.contiguous(), weight.transpose(0, 1).contiguous()).toNumbers(),
    );
  });

  test("records gradients of whatever asks for them", () => {
    for (const asking of [0, 1, 2]) {
      const operands = [draw(1, 8), draw(4, 8), draw(4)] as const;
      operands[asking]!.requiresGrad_();
      backward([linear(...operands).sum()]);
      assert.deepEqual(operands[asking]!.grad?.shape, operands[asking]!.shape);
    }
  });

  test("refuses shapes that do not fit, and lets an empty weight be", () => {
    assert.throws(() => linear(draw(1, 8), draw(4, 7)), /cannot be multiplied|mat1 and mat2|size mismatch/);
    assert.deepEqual(linear(draw(1, 8), zeros([0, 8], { dtype: "bfloat16" })).shape, [1, 0]);
    assert.deepEqual(linear(ones([1, 1], { dtype: "bfloat16" }), draw(1, 1)).shape, [1, 1]);
  });
});

test("a few rows of bfloat16 give what each gives alone, and the same from two threads", () => {
  const size = fc.integer({ min: 1, max: 150 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 15 }), size, size, (count, width, rows) =>
      scope(() => {
        const [x, weight] = [draw(count, width), draw(rows, width)];
        const output = linear(x, weight);
        const wide = [x.to("float64"), weight.to("float64")] as const;
        const magnitude = aten.linear(wide[0].abs(), wide[1].abs());
        assert.ok(excess(output, aten.linear(...wide), magnitude) <= 1);
      }),
    ),
    { numRuns: 60 },
  );
  const [x, weight] = [draw(7, 600), draw(900, 600)];
  setNumThreads(1);
  const alone = Array.from({ length: 7 }, (_, i) => linear(x.slice(0, i, i + 1), weight).toNumbers());
  setNumThreads(2);
  const together = linear(x, weight);
  // Where the processor multiplies bfloat16 several rows are libtorch's affair.
  const largest = Math.max(...together.toNumbers().map(Math.abs));
  const allowed = fastDType().dtype === "bfloat16" ? largest * 2 ** -7 : 0;
  for (const [i, row] of alone.entries())
    for (const [j, value] of together
      .slice(0, i, i + 1)
      .toNumbers()
      .entries())
      assert.ok(Math.abs(value - row[j]!) <= allowed, `${value}, ${row[j]} alone`);
});
