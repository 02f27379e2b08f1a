// Layers of which a row is read once: npm test -- src/torch/row-layers.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  aten,
  cat,
  type DType,
  Generator,
  grad,
  inference,
  noGrad,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  tensor,
} from "./index.ts";

const generator = new Generator(8);
const numbersOf = (tensor: Tensor): Float32Array => tensor.contiguous().to("float32").toFloat32Array();

/** Composed of libtorch's operators, each of which rounds. */
function rotated(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const [first, second] = x.chunk(2, -1);
  return x.mul(cos).add(cat([second!.neg(), first!], -1).mul(sin));
}

/** x / √(mean(x²) + ε) · w in float64. */
function normed(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const [wide, scale] = [x.to("float64"), weight.to("float64")];
  return wide.div(wide.mul(wide).mean([-1], true).add(epsilon).sqrt()).mul(scale);
}

for (const dtype of ["float32", "bfloat16", "float16"] as const satisfies readonly DType[])
  describe(`layers of rows in ${dtype}`, () => {
    test("heads are turned to the bits of libtorch's operators, however they lie in memory", () =>
      inference(() =>
        scope(() => {
          const make = (shape: readonly number[]) => randn([...shape], generator).to(dtype);
          for (const [batch, heads, positions, d] of [
            [1, 3, 5, 8],
            [2, 1, 7, 20],
            [2, 9, 40, 64],
            [1, 2, 3, 2],
          ] as const)
            for (const angles of new Set([1, batch])) {
              const [cos, sin] = [make([angles, 1, positions, d]), make([angles, 1, positions, d])];
              const across = make([batch, positions, heads, d]).transpose(1, 2);
              const part = make([batch, heads, positions + 2, 2 * d])
                .slice(2, 1, positions + 1)
                .slice(3, d, 2 * d);
              for (const x of [make([batch, heads, positions, d]), across, part]) {
                const turned = aten.rotate(x, cos, sin);
                assert.deepEqual(turned.shape, x.shape);
                assert.deepEqual(numbersOf(turned), numbersOf(rotated(x, cos, sin)));
              }
            }
        }),
      ));

    test("rows are divided by their root mean square, and each as if alone", () =>
      inference(() =>
        scope(() => {
          const bound = { float32: 2 ** -21, bfloat16: 2 ** -8, float16: 2 ** -10 }[dtype];
          for (const width of [1, 7, 64, 100, 576]) {
            const x = randn([40, width], generator).to(dtype);
            const weight = randn([width], generator).to(dtype);
            const whole = aten.rmsNorm(x, weight, 1e-5);
            const expected = normed(x, weight, 1e-5);
            const off = whole.to("float64").sub(expected).abs().div(expected.abs().add(1e-3)).amax().item();
            assert.ok(off <= bound, `off by ${off} at ${width}`);
            for (const threads of [1, 3]) {
              setNumThreads(threads);
              for (const [start, end] of [
                [0, 1],
                [5, 12],
              ] as const)
                assert.deepEqual(
                  numbersOf(aten.rmsNorm(x.slice(0, start, end), weight, 1e-5)),
                  numbersOf(whole.slice(0, start, end)),
                );
            }
          }
        }),
      ));

    test("a sum and its norm in one go have the bits of one after the other", () =>
      inference(() =>
        scope(() => {
          for (const width of [1, 7, 64, 100, 576]) {
            const [x, y] = [0, 1].map(() => randn([40, width], generator).to(dtype)) as [Tensor, Tensor];
            const weight = randn([width], generator).to(dtype);
            const [sum, both] = aten.addRmsNorm(x, y, weight, 1e-5);
            assert.deepEqual(numbersOf(sum!), numbersOf(x.add(y)));
            assert.deepEqual(numbersOf(both!), numbersOf(aten.rmsNorm(x.add(y), weight, 1e-5)));
          }
        }),
      ));

    test("a gate lets through what silu makes of it, each element as if alone", () =>
      inference(() =>
        scope(() => {
          const bound = { float32: 2 ** -21, bfloat16: 2 ** -7, float16: 2 ** -9 }[dtype];
          for (const count of [1, 8, 13, 1000, 20_000]) {
            const [gate, up] = [0, 1].map(() => randn([count], generator).mul(4).to(dtype)) as [
              Tensor,
              Tensor,
            ];
            const whole = aten.gatedSilu(gate, up);
            const [x, y] = [gate, up].map((tensor) => tensor.to("float64"));
            const expected = x!.mul(x!.sigmoid()).mul(y!);
            const off = whole.to("float64").sub(expected).abs().div(expected.abs().add(1e-3)).amax().item();
            assert.ok(off <= bound, `off by ${off} of ${count}`);
            const [start, end] = [Math.floor(count / 3), Math.ceil(count / 2)];
            const part = aten.gatedSilu(gate.slice(0, start, end), up.slice(0, start, end));
            assert.deepEqual(numbersOf(part), numbersOf(whole.slice(0, start, end)));
          }
        }),
      ));
  });

test("a gate far from 0 is open or shut, and what is no number stays none", () =>
  inference(() =>
    scope(() => {
      const gate = tensor([-1e4, -90, 0, 90, 1e4, Number.NaN, Number.POSITIVE_INFINITY]);
      const found = aten.gatedSilu(gate, gate.mul(0).add(2).fill_(2)).toNumbers();
      assert.ok(Math.abs(found[0]!) === 0 && Math.abs(found[1]!) < 1e-30 && found[2] === 0, `${found}`);
      assert.deepEqual(found.slice(3), [180, 2e4, Number.NaN, Number.POSITIVE_INFINITY]);
    }),
  ));

test("a learner's gates have the gradients of libtorch's operators", () =>
  scope(() => {
    const gradients = (gated: (gate: Tensor, up: Tensor) => Tensor) => {
      const [gate, up] = [tensor([-2, 0.5, 3]).requiresGrad_(), tensor([1, -2, 0.25]).requiresGrad_()];
      return grad([gated(gate, up).sum()], [gate, up]).map((gradient) => gradient!.toNumbers());
    };
    assert.deepEqual(
      gradients((gate, up) => aten.gatedSilu(gate, up)),
      gradients((gate, up) => aten.silu(gate).mul(up)),
    );
  }));

test("a learner's norms have the same bits with gradients and without", () =>
  scope(() => {
    for (const dtype of ["float32", "bfloat16"] as const) {
      const [x, weight] = [randn([20, 100], generator).to(dtype), randn([100], generator).to(dtype)];
      const learned = aten.rmsNorm(x, weight.clone().requiresGrad_(), 1e-5);
      assert.deepEqual(
        noGrad(() => numbersOf(aten.rmsNorm(x, weight, 1e-5))),
        noGrad(() => numbersOf(learned)),
      );
    }
  }));

test("a number that is none stays none, and a row too wide is refused", () =>
  inference(() =>
    scope(() => {
      for (const dtype of ["float32", "bfloat16", "float16"] as const) {
        const bad = randn([2, 16], generator).to(dtype);
        bad.slice(0, 1, 2).slice(1, 3, 4).fill_(Number.NaN);
        const [fine, none] = [0, 1].map((row) =>
          numbersOf(aten.rmsNorm(bad, randn([16], generator).to(dtype), 1e-5).slice(0, row, row + 1)),
        );
        assert.ok(fine!.every(Number.isFinite) && none!.every(Number.isNaN));
        assert.throws(() => aten.rmsNorm(bad, randn([8], generator).to(dtype), 1e-5), /expected/);
      }
    }),
  ));
