import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { checkGradients } from "../../test/support/gradients.ts";
import { LLAMA_TYPES, parseLlamaConfig } from "../models/index.ts";
import { Generator, longTensor, randn, type Tensor } from "../torch/index.ts";
import { type RopeFactors, RotaryEmbedding, rotate } from "./index.ts";

interface Fixture {
  headDim: number;
  positions: number[];
  cases: { name: string; parameters: { rope_theta: number }; cos: number[][]; sin: number[][] }[];
}

const fixture = JSON.parse(
  readFileSync(new URL("../../test/fixtures/rotary/angles.json", import.meta.url), "utf8"),
) as Fixture;

describe("angles are transformers'", () => {
  for (const { name, parameters, cos, sin } of fixture.cases)
    test(name, () => {
      const { headDim } = fixture;
      const json = {
        head_dim: headDim,
        hidden_size: headDim,
        num_attention_heads: 1,
        rope_parameters: parameters,
      };
      const { ropeTheta, ropeScaling } = parseLlamaConfig(json, "fixture", LLAMA_TYPES.llama);
      const rotary = new RotaryEmbedding(headDim, ropeTheta, ropeScaling);
      const angles = rotary.angles(longTensor(fixture.positions), "float32");
      assert.deepEqual(angles.cos.shape, [1, 1, fixture.positions.length, headDim]);
      // A frequency's last bit, times a position of thousands, is the tolerance.
      const near = (actual: Tensor, expected: number[][]) =>
        actual.toNumbers().forEach((value, i) => {
          const row = Math.floor(i / headDim);
          const tolerance = 1e-6 + 2e-7 * fixture.positions[row]!;
          assert.ok(
            Math.abs(value - expected[row]![i % headDim]!) <= tolerance,
            `${name}: element ${i}: ${value}`,
          );
        });
      near(angles.cos, cos);
      near(angles.sin, sin);
    });
});

const generator = new Generator(5);

test("dimensions i and i + d/2 turn together by position / theta^(2i/d)", () => {
  const [headDim, theta, position] = [8, 100, 5];
  const x = randn([1, 1, 1, headDim], generator);
  const rotated = rotate(
    x,
    new RotaryEmbedding(headDim, theta).angles(longTensor([position]), "float32"),
  ).toNumbers();
  const values = x.toNumbers();
  for (let i = 0; i < headDim / 2; i++) {
    const angle = position * theta ** ((-2 * i) / headDim);
    const [a, b] = [values[i]!, values[i + headDim / 2]!];
    assert.ok(Math.abs(rotated[i]! - (a * Math.cos(angle) - b * Math.sin(angle))) < 1e-5);
    assert.ok(Math.abs(rotated[i + headDim / 2]! - (b * Math.cos(angle) + a * Math.sin(angle))) < 1e-5);
  }
});

test("products of rotated vectors depend on the distance of their positions only", () => {
  const rotary = new RotaryEmbedding(16, 10_000);
  const [query, key] = [randn([1, 1, 1, 16], generator), randn([1, 1, 1, 16], generator)];
  const product = (m: number, n: number) =>
    rotate(query, rotary.angles(longTensor([m]), "float32"))
      .mul(rotate(key, rotary.angles(longTensor([n]), "float32")))
      .sum()
      .item();
  assert.ok(Math.abs(product(3, 1) - product(103, 101)) < 1e-4);
  assert.ok(Math.abs(product(3, 1) - product(4, 1)) > 1e-3);
});

test("each row of a batch may have positions of its own", () => {
  const rotary = new RotaryEmbedding(8, 10_000);
  const both = rotary.angles(longTensor([0, 1, 5, 6], [2, 2]), "float32");
  assert.deepEqual(both.cos.shape, [2, 1, 2, 8]);
  const second = rotary.angles(longTensor([5, 6]), "float32");
  assert.deepEqual(both.sin.select(0, 1).toNumbers(), second.sin.select(0, 0).toNumbers());
});

test("gradients", () => {
  const angles = new RotaryEmbedding(8, 100).angles(longTensor([0, 3, 9]), "float64");
  checkGradients([randn([2, 2, 3, 8], generator, { dtype: "float64" })], ([x]) => rotate(x!, angles));
});

describe("a linear factor of the request", () => {
  const positions = longTensor([0, 1, 7, 300]);
  const angles = (rotary: RotaryEmbedding, factors?: RopeFactors) =>
    rotary.angles(positions, "float32", factors).cos.toNumbers();

  test("is the factor that a configuration would state, and takes its place", () => {
    for (const factor of [2, 2.5, 3]) {
      const stated = new RotaryEmbedding(8, 10_000, { type: "linear", factor });
      assert.deepEqual(angles(new RotaryEmbedding(8, 10_000), factor), angles(stated));
      assert.deepEqual(angles(stated, 1), angles(new RotaryEmbedding(8, 10_000)));
    }
  });

  test("may differ from position to position, where none is the model's own", () => {
    const rotary = new RotaryEmbedding(8, 10_000, { type: "linear", factor: 2 });
    const rows = [angles(rotary, 1), angles(rotary), angles(rotary, 4), angles(rotary, 3)];
    const mixed = angles(rotary, [1, undefined, 4, 3]);
    for (const [at, row] of rows.entries())
      assert.deepEqual(mixed.slice(8 * at, 8 * at + 8), row.slice(8 * at, 8 * at + 8));
  });
});
