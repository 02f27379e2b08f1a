import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../test/support/close.ts";
import { backward, Generator, inference, linear, noGrad, randn, scope, type Tensor } from "../torch/index.ts";
import { AdaptedLinear, BlockLinear, Linear, LowRankAdapter } from "./index.ts";

const generator = new Generator(6);
const drawn = (inFeatures: number, outFeatures: number, bias: boolean): Linear => {
  const layer = new Linear(inFeatures, outFeatures, { bias });
  layer.setParameter("weight", randn([outFeatures, inFeatures], generator).mul(0.05));
  if (bias) layer.setParameter("bias", randn([outFeatures], generator));
  return layer;
};
const relative = (actual: Tensor, expected: Tensor): number => {
  const difference = actual.sub(expected);
  return Math.sqrt(difference.mul(difference).sum().item() / expected.mul(expected).sum().item());
};

describe("a linear layer in blocks", () => {
  test("keeps the weight within what its bits leave open, and the bias whole", () => {
    scope(() => {
      const layer = drawn(512, 96, true);
      const x = randn([4, 512], generator);
      for (const [type, allowed] of [
        ["Q8_0", 0.01],
        ["Q6_K", 0.02],
        ["Q4_K", 0.09],
        ["Q4_0", 0.11],
      ] as const) {
        const quantized = BlockLinear.of(layer, type);
        assert.ok(relative(quantized.decoded(), layer.weight) < allowed, type);
        const expected = linear(x, quantized.decoded(), layer.bias);
        assert.ok(relative(quantized.forward(x), expected) < 0.01, type);
        assert.ok(relative(quantized.forward(x.to("bfloat16")), expected) < 0.02, `${type} of bfloat16`);
        assert.deepEqual([quantized.inFeatures, quantized.outFeatures], [512, 96]);
      }
    });
  });

  test("names its one parameter as any linear layer, as bytes", () => {
    const empty = new BlockLinear(256, 3, { bias: true, type: "Q6_K" });
    assert.deepEqual(
      [...empty.namedParameters()].map(([name, { shape, dtype }]) => [name, shape, dtype]),
      [
        ["weight", [3, 210], "uint8"],
        ["bias", [3], "float32"],
      ],
    );
    const [weight] = BlockLinear.of(drawn(256, 3, false), "Q4_K")
      .to({ dtype: "bfloat16" })
      .parameters();
    assert.deepEqual([weight!.shape, weight!.dtype], [[3, 144], "uint8"]);
  });

  test("lets an adapter beside it learn, and the input's gradient through", () => {
    for (const rows of [3, 40])
      scope(() => {
        const layer = drawn(256, 24, true);
        const adapter = new LowRankAdapter([24, 256], { rank: 4, alpha: 8 }, generator);
        adapter.setParameter("lora_B.weight", randn([24, 4], generator));
        const base = BlockLinear.of(layer, "Q4_K");
        const quantized = new AdaptedLinear(base, adapter.requiresGrad_());
        const x = randn([rows, 256], generator).requiresGrad_();
        const gradient = randn([rows, 24], generator);
        backward([quantized.forward(x)], { gradients: [gradient] });
        const whole = adapter.mergedInto(base.decoded());
        assertClose(
          x.grad!,
          noGrad(() => gradient.matmul(whole)),
          1e-4,
          "input",
        );
        for (const parameter of adapter.parameters()) assert.ok(parameter.grad!.abs().sum().item() > 0);
        assert.equal(quantized.weight.grad, undefined);
      });
  });

  test("does the same in inference", () => {
    const quantized = BlockLinear.of(drawn(64, 10, true), "Q8_0");
    const x = randn([2, 64], generator);
    const unrecorded = noGrad(() => quantized.forward(x.detach().requiresGrad_()).toNumbers());
    assert.deepEqual(
      inference(() => quantized.forward(x).toNumbers()),
      unrecorded,
    );
  });

  test("refuses rows that split a block, with the weight's name", () => {
    const name = "model.layers.0.mlp.down_proj.weight";
    assert.throws(() => BlockLinear.of(drawn(96, 4, false), "Q4_K", name), {
      name: "LlavaError",
      code: "config",
      message: `${name} has rows of 96, not a multiple of Q4_K's 256`,
    });
    assert.equal(BlockLinear.of(drawn(96, 4, false), "Q4_0", name).inFeatures, 96);
  });
});
