// Products in 16 bits, which processors without instructions for them compute in float32: npm test -- src/torch/widened.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  aten,
  backward,
  type DType,
  Generator,
  inference,
  linear,
  randn,
  scaledDotProductAttention,
  scope,
  type Tensor,
} from "./index.ts";

const generator = new Generator(12);
/** What a type's mantissa leaves open, as a part of the value. */
const precision = { bfloat16: 2 ** -7, float16: 2 ** -9 } as const;
type Narrow = keyof typeof precision;
const types = fc.constantFrom<Narrow>("bfloat16", "float16");
const draw = (shape: readonly number[], dtype: Narrow): Tensor => randn(shape, generator).to(dtype);
const wide = (x: Tensor): Tensor => x.detach().to("float64");

/** The least step between float16's numbers, near 0. */
const leastStep = 2 ** -24;

/** |actual − expected| stays within the type's rounding of sums of this magnitude. */
function assertClose(actual: Tensor, expected: Tensor, magnitude: Tensor, dtype: DType, what: string): void {
  assert.equal(actual.dtype, dtype, what);
  assert.deepEqual(actual.shape, expected.shape, what);
  const excess = actual
    .to("float64")
    .sub(expected)
    .abs()
    .div(magnitude.mul(precision[dtype as Narrow]).add(leastStep));
  const worst = excess.amax().item();
  assert.ok(worst <= 1, `${what}: ${worst} times the rounding`);
}

describe("several rows of 16 bits", () => {
  test("give x·Wᵀ + b for sizes that are no multiples of anything, whatever comes before the last dimension", () => {
    const size = fc.integer({ min: 1, max: 90 });
    fc.assert(
      fc.property(
        size,
        size,
        size,
        fc.boolean(),
        fc.boolean(),
        types,
        (rows, width, out, withBias, folded, dtype) =>
          scope(() => {
            const x = draw(folded ? [2, rows, width] : [rows, width], dtype);
            const weight = draw([out, width], dtype);
            const bias = withBias ? draw([out], dtype) : undefined;
            const expected = aten.linear(wide(x), wide(weight), bias && wide(bias));
            const magnitude = aten.linear(wide(x).abs(), wide(weight).abs(), bias && wide(bias).abs());
            assertClose(linear(x, weight, bias), expected, magnitude, dtype, "recorded");
            assertClose(
              inference(() => linear(x, weight, bias)),
              expected,
              magnitude,
              dtype,
              "in inference",
            );
          }),
      ),
      { numRuns: 60 },
    );
  });

  test("go through every block of a weight of several, the last of them shorter", () => {
    scope(() => {
      const [x, weight, bias] = [
        draw([5, 700], "bfloat16"),
        draw([3001, 700], "bfloat16"),
        draw([3001], "bfloat16"),
      ];
      const expected = aten.linear(wide(x), wide(weight), wide(bias));
      const magnitude = aten.linear(wide(x).abs(), wide(weight).abs(), wide(bias).abs());
      assertClose(linear(x, weight, bias), expected, magnitude, "bfloat16", "product");
      const [gradient, asking] = [draw([5, 3001], "bfloat16"), x.detach().requiresGrad_()];
      backward([linear(asking, weight, bias)], { gradients: [gradient] });
      const back = wide(gradient).matmul(wide(weight));
      const size = wide(gradient).abs().matmul(wide(weight).abs());
      assertClose(asking.grad!, back, size, "bfloat16", "gradient of the input");
    });
  });

  test("have the gradients of their product, of each operand that asks for them alone and of all", () => {
    const masks = fc.integer({ min: 1, max: 7 });
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 40 }),
        size,
        size,
        masks,
        types,
        (rows, width, out, mask, dtype) =>
          scope(() => {
            const operands = [
              draw([rows, width], dtype),
              draw([out, width], dtype),
              draw([out], dtype),
            ] as const;
            for (const [i, operand] of operands.entries()) if (mask & (1 << i)) operand.requiresGrad_();
            const gradient = draw([rows, out], dtype);
            backward([linear(...operands)], { gradients: [gradient] });
            const [x, weight, g] = [wide(operands[0]), wide(operands[1]), wide(gradient)];
            const expected = [g.matmul(weight), g.transpose(0, 1).matmul(x), g.sum([0])];
            const magnitudes = [
              g.abs().matmul(weight.abs()),
              g.abs().transpose(0, 1).matmul(x.abs()),
              g.abs().sum([0]),
            ];
            for (const [i, operand] of operands.entries())
              if (mask & (1 << i))
                assertClose(operand.grad!, expected[i]!, magnitudes[i]!, dtype, `operand ${i}`);
              else assert.equal(operand.grad, undefined);
          }),
      ),
      { numRuns: 40 },
    );
  });

  test("take operands that do not lie side by side", () => {
    scope(() => {
      const [x, weight] = [
        draw([64, 8], "bfloat16").transpose(0, 1),
        draw([64, 32], "bfloat16").transpose(0, 1),
      ];
      const magnitude = aten.linear(wide(x).abs(), wide(weight).abs());
      assertClose(linear(x, weight), aten.linear(wide(x), wide(weight)), magnitude, "bfloat16", "transposed");
    });
  });

  test("that do not fit are refused", () => {
    assert.throws(
      () => linear(draw([6, 8], "bfloat16"), draw([4, 7], "bfloat16")),
      /cannot be multiplied|mat1 and mat2|size mismatch/,
    );
  });
});

describe("in 16 bits, with the gradients of both operands,", () => {
  const shapes = { query: [2, 4, 9, 8], key: [2, 2, 9, 8] } as const;
  for (const dtype of ["bfloat16", "float16"] as const) {
    test(`products of activations are right (${dtype})`, () => {
      scope(() => {
        const operands = [
          draw([3, 7, 5], dtype).requiresGrad_(),
          draw([3, 5, 6], dtype).requiresGrad_(),
        ] as const;
        const output = aten.product(...operands);
        const [a, b] = [wide(operands[0]), wide(operands[1])];
        assertClose(output, a.matmul(b), a.abs().matmul(b.abs()), dtype, "product");
        const gradient = draw([3, 7, 6], dtype);
        backward([output], { gradients: [gradient] });
        const [g, turned] = [wide(gradient), (x: Tensor) => x.transpose(1, 2)];
        assertClose(operands[0].grad!, g.matmul(turned(b)), g.abs().matmul(turned(b).abs()), dtype, "left");
        assertClose(operands[1].grad!, turned(a).matmul(g), turned(a).abs().matmul(g.abs()), dtype, "right");
      });
    });

    test(`a convolution is right (${dtype})`, () => {
      scope(() => {
        const [pixels, weight, bias] = [
          draw([2, 3, 8, 8], dtype),
          draw([5, 3, 4, 4], dtype),
          draw([5], dtype),
        ];
        const settings = [
          [4, 4],
          [1, 1],
        ] as const;
        const output = aten.conv2d(pixels, weight, bias, ...settings);
        const expected = aten.conv2d(wide(pixels), wide(weight), wide(bias), ...settings);
        const magnitude = aten.conv2d(wide(pixels).abs(), wide(weight).abs(), wide(bias).abs(), ...settings);
        assertClose(output, expected, magnitude, dtype, "convolution");
      });
    });

    for (const causal of [true, false])
      test(`attention${causal ? " of what came before" : ""} is right (${dtype})`, () => {
        scope(() => {
          const [query, key, value] = [
            draw(shapes.query, dtype),
            draw(shapes.key, dtype),
            draw(shapes.key, dtype),
          ];
          for (const each of [query, key, value]) each.requiresGrad_();
          const options = { causal, groupedQuery: true };
          const output = scaledDotProductAttention(query, key, value, options);
          const precise = [query, key, value].map((x) => wide(x).requiresGrad_());
          const expected = scaledDotProductAttention(precise[0]!, precise[1]!, precise[2]!, options);
          // Values are averaged: each output is at most as large as they are.
          const largest = aten.full(expected.shape, wide(value).abs().amax().item(), "float64");
          assertClose(output, expected.detach(), largest, dtype, "attention");
          const gradient = draw(shapes.query, dtype);
          backward([output], { gradients: [gradient] });
          backward([expected], { gradients: [wide(gradient)] });
          for (const [i, each] of [query, key, value].entries()) {
            const right = precise[i]!.grad!;
            const size = aten.full(right.shape, Math.max(4, right.abs().amax().item()), "float64");
            assertClose(each.grad!, right, size, dtype, `gradient ${i}`);
          }
        });
      });
  }
});
