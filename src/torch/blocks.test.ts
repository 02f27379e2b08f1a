// Products with weights in blocks: npm test -- src/torch/blocks.test.ts
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { randomBlocks } from "../../test/support/blocks.ts";
import { mulberry32 } from "../random/index.ts";
import {
  aten,
  type BlockType,
  backward,
  blockLayouts,
  cat,
  dequantize,
  Generator,
  inference,
  instructionSet,
  linear,
  noGrad,
  numThreads,
  ones,
  quantize,
  quantizedLinear,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  tensor,
  zeros,
} from "./index.ts";

const generator = new Generator(31);
const random = mulberry32(31);
const types = Object.keys(blockLayouts) as BlockType[];
const anyType = fc.constantFrom(...types);
/** Whether many rows are multiplied in whole numbers as few are, not in floating point. */
const isWhole = instructionSet() === "AVX2" || instructionSet() === "AVX-512";
const wide = (x: Tensor): Tensor => x.detach().to("float64");

/** What rounding to 8 bits leaves open: half a step of each block of x, times the weights it meets, and float32's own. */
function roundingOf(x: Tensor, weight: Tensor, type: BlockType): Tensor {
  const { blockElements } = blockLayouts[type];
  const blocks = wide(x)
    .abs()
    .reshape([-1, x.shape.at(-1)! / blockElements, blockElements]);
  const steps = blocks.amax([2], true).div(127).expand(blocks.shape).reshape(x.shape);
  return linear(steps.mul(0.5001).add(wide(x).abs().mul(1e-6)), weight.abs());
}

function assertWithin(actual: Tensor, expected: Tensor, bound: Tensor, what: string): void {
  assert.deepEqual(actual.shape, expected.shape, what);
  const excess = wide(actual).sub(expected).abs().div(bound.add(1e-30)).amax().item();
  assert.ok(excess <= 1, `${what}: ${excess} times the bound`);
}

describe("x·Wᵀ + b of weights in blocks", () => {
  test("is that of the decoded weights, up to the rounding of x to 8 bits", () => {
    const size = fc.integer({ min: 1, max: 45 });
    fc.assert(
      fc.property(
        anyType,
        size,
        size,
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (type, n, out, count, biased) =>
          scope(() => {
            const blocks = randomBlocks(out, count, type, random);
            const weight = wide(dequantize(blocks, type));
            const x = randn([n, weight.shape[1]!], generator);
            const bias = biased ? randn([out], generator) : undefined;
            const y = quantizedLinear(x, blocks, type, bias);
            assert.equal(y.dtype, "float32");
            const expected = linear(wide(x), weight, bias && wide(bias));
            const bound = roundingOf(x, weight, type);
            assertWithin(y, expected, bound.add(1e-6), `${type} ${n}×${weight.shape[1]}×${out}`);
          }),
      ),
      { numRuns: 150 },
    );
  });

  for (const type of ["Q8_0", "Q4_0", "Q4_K", "Q6_K"] as const)
    test(`is off by less than 1 % through that rounding (${type})`, () => {
      scope(() => {
        const x = randn([3, 4096], generator);
        const blocks = quantize(randn([256, 4096], generator).mul(0.02), type);
        const expected = linear(x, dequantize(blocks, type));
        const difference = quantizedLinear(x, blocks, type).sub(expected);
        const relative = Math.sqrt(
          difference.mul(difference).sum().item() / expected.mul(expected).sum().item(),
        );
        assert.ok(relative < 0.01, `${relative}`);
        assert.ok(relative > 1e-4, `${relative}: x was not rounded`);
      });
    });

  test("keeps the element type and all dimensions before the last", () => {
    scope(() => {
      const blocks = randomBlocks(5, 2, "Q4_0", random);
      for (const dtype of ["bfloat16", "float16", "float64"] as const)
        for (const shape of [[64], [2, 3, 64], [2, 20, 64], [0, 64]]) {
          const x = randn(shape, generator).to(dtype);
          const y = quantizedLinear(x, blocks, "Q4_0");
          assert.deepEqual([y.dtype, y.shape], [dtype, [...shape.slice(0, -1), 5]]);
          const right = quantizedLinear(x.to("float32"), blocks, "Q4_0").to(dtype);
          const largest = Math.max(0, ...right.toNumbers().map(Math.abs));
          for (const [i, value] of y.toNumbers().entries())
            assert.ok(Math.abs(value - right.toNumbers()[i]!) <= 2 ** -7 * largest);
        }
    });
  });

  test("has the same bits whatever rows stand beside a row, and however many threads there are", () => {
    scope(() => {
      for (const type of types) {
        const { blockElements } = blockLayouts[type];
        const blocks = randomBlocks(301, 1024 / blockElements, type, random);
        const x = randn([7, 1024], generator);
        const [whole, other] = [1, 2].map((threads) => {
          setNumThreads(threads);
          return quantizedLinear(x, blocks, type);
        }) as [Tensor, Tensor];
        assert.ok(aten.equal(whole, other), `${type}: two threads`);
        for (let i = 0; i < 7; i++) {
          const [own, inWhole] = [x, whole].map((rows) => rows.slice(0, i, i + 1)) as [Tensor, Tensor];
          assert.ok(aten.equal(quantizedLinear(own, blocks, type), inWhole), `${type}: row ${i} alone`);
        }
        for (const out of [300, 299, 298])
          assert.ok(
            aten.equal(quantizedLinear(x, blocks.slice(0, 0, out), type), whole.slice(1, 0, out)),
            `${type}: ${out} outputs`,
          );
      }
    });
  });

  test("is for many rows what it is for each alone, but for the order of sums", () => {
    scope(() => {
      for (const type of types) {
        const blocks = randomBlocks(43, 1024 / blockLayouts[type].blockElements, type, random);
        const x = randn([37, 1024], generator);
        const alone = Array.from({ length: 37 }, (_, i) =>
          quantizedLinear(x.slice(0, i, i + 1), blocks, type),
        );
        const reach = linear(x.abs(), dequantize(blocks, type).abs()).to("float64");
        const rounds = !isWhole && roundingOf(x, wide(dequantize(blocks, type)), type);
        const bound = rounds || reach.mul(2e-6);
        assertWithin(quantizedLinear(x, blocks, type), wide(cat(alone)), bound, type);
      }
    });
  });

  test("multiplies the decoded weights where gradients are recorded, and gives those of the input and the bias", () => {
    fc.assert(
      fc.property(anyType, fc.constantFrom(1, 5, 40), fc.integer({ min: 1, max: 3 }), (type, n, count) =>
        scope(() => {
          const blocks = randomBlocks(9, count, type, random);
          const weight = wide(dequantize(blocks, type));
          const x = randn([n, weight.shape[1]!], generator).requiresGrad_();
          const bias = randn([9], generator).requiresGrad_();
          const gradient = randn([n, 9], generator);
          const y = quantizedLinear(x, blocks, type, bias);
          const exact = noGrad(() => wide(x).matmul(weight.transpose(0, 1)).add(bias));
          const reach = noGrad(() => wide(x).abs().matmul(weight.abs().transpose(0, 1)).add(1).mul(1e-5));
          assertWithin(y.detach(), exact, reach, `${type} product`);
          backward([y], { gradients: [gradient] });
          const bound = wide(gradient).abs().matmul(weight.abs()).mul(1e-5);
          assertWithin(x.grad!, wide(gradient).matmul(weight), bound, type);
          assertWithin(bias.grad!, wide(gradient).sum([0]), ones([9]).mul(1e-4), `${type} bias`);
        }),
      ),
      { numRuns: 30 },
    );
  });

  test("is not finite where x is not", () => {
    for (const type of types)
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const x = ones([1, 512]);
        x.slice(1, 300, 301).fill_(bad);
        const y = quantizedLinear(
          x,
          randomBlocks(6, 512 / blockLayouts[type].blockElements, type, random),
          type,
        );
        assert.ok(
          y.toNumbers().every((value) => !Number.isFinite(value)),
          `${type} ${bad}`,
        );
      }
  });

  test("of zeros is zero, and of numbers too small for a step as well", () => {
    const blocks = randomBlocks(6, 2, "Q8_0", random);
    for (const value of [0, 1e-38, -1e-38])
      assert.deepEqual(
        quantizedLinear(ones([1, 64]).mul(value), blocks, "Q8_0")
          .abs()
          .amax()
          .item(),
        0,
      );
  });

  test("refuses what does not fit", () => {
    const blocks = randomBlocks(6, 2, "Q8_0", random);
    assert.throws(
      () => quantizedLinear(ones([1, 96]), blocks, "Q8_0"),
      /expected activations \[\.\.\., 64\]/,
    );
    assert.throws(() => quantizedLinear(ones([1, 64]), blocks, "Q8_0", ones([5])), /expected a bias \[6\]/);
    assert.throws(() => quantizedLinear(ones([1, 64]), blocks, "Q4_K"), /expected rows of Q4_K blocks/);
    assert.throws(() => quantizedLinear(ones([1, 64]), blocks.slice(1, 0, 34), "Q8_0"), /contiguous/);
    assert.throws(() => quantizedLinear(ones([1, 64]), blocks, "Q9" as BlockType), /no blocks of type Q9/);
    assert.throws(() => quantize(zeros([2, 33]), "Q8_0"), /rows of n · 32/);
    assert.throws(
      () => quantize(tensor([...Array(31).fill(0), Number.NaN], { shape: [1, 32] }), "Q4_0"),
      /not finite/,
    );
    assert.throws(() => quantize(zeros([2, 256]), "Q5_K" as "Q4_K"), /read, not written/);
  });
});

test("the processor's vector instructions give what plain C++ gives", {
  skip: instructionSet() === "DEFAULT",
}, () => {
  const support = new URL("../../test/support/blocks.ts", import.meta.url).href;
  const script = `import { sampleProducts } from ${JSON.stringify(support)}; console.log(JSON.stringify(sampleProducts()))`;
  const run = (limit: NodeJS.ProcessEnv): Record<BlockType, number[]> =>
    JSON.parse(
      execFileSync(process.execPath, ["--input-type=module", "-e", script], {
        encoding: "utf8",
        env: { ...process.env, ...limit },
      }),
    );
  const plain = run({ ATEN_CPU_CAPABILITY: "default" });
  for (const limit of [{}, { ATEN_CPU_CAPABILITY: "avx2" }]) {
    const vectors = run(limit);
    for (const type of types) {
      const largest = Math.max(...plain[type].map(Math.abs));
      for (const [i, value] of vectors[type].entries())
        assert.ok(
          Math.abs(value - plain[type][i]!) <= 1e-6 * largest,
          `${type}: ${value}, ${plain[type][i]}`,
        );
    }
  }
});

test("rows of bfloat16 are multiplied by blocks from several threads in inference mode", () => {
  const before = numThreads();
  setNumThreads(2);
  try {
    inference(() =>
      scope(() => {
        const blocks = quantize(randn([576, 576], generator).mul(0.02), "Q4_0");
        const x = randn([46, 576], generator).to("bfloat16");
        const y = quantizedLinear(x, blocks, "Q4_0").to("float32");
        const right = linear(x.to("float32"), dequantize(blocks, "Q4_0"));
        assert.ok(y.sub(right).abs().amax().item() < 0.05 * right.abs().amax().item());
        assert.equal(dequantize(blocks, "Q4_0", "bfloat16").dtype, "bfloat16");
      }),
    );
  } finally {
    setNumThreads(before);
  }
});
