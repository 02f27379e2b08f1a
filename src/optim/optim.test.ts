// AdamW, clipping and schedules against torch.optim and transformers: npm test -- src/optim
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { largestDifference } from "../../test/support/close.ts";
import { openSafetensors } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { Generator, liveTensors, ones, randn, scope, type Tensor, tensor } from "../torch/index.ts";
import { AdamW, decayGroups } from "./adamw.ts";
import { clipGradNorm } from "./clip.ts";
import { constantSchedule, cosineSchedule, linearSchedule } from "./schedule.ts";

const reference = openSafetensors(
  fileURLToPath(new URL("../../test/fixtures/optim/adamw.safetensors", import.meta.url)),
);
const names = ["a", "b", "c"];

function start() {
  const parameters = new Map(
    names.map((name) => [name, reference.read(`start.${name}`).clone().requiresGrad_()] as const),
  );
  const group = (members: string[], learningRate: number, weightDecay: number) => ({
    parameters: new Map(members.map((name) => [name, parameters.get(name)!])),
    learningRate,
    weightDecay,
  });
  const groups = [group(["a", "c"], 1e-2, 0.1), group(["b"], 3e-3, 0)];
  return { parameters, optimizer: new AdamW(groups, { betas: [0.9, 0.95], epsilon: 1e-7 }) };
}

function setGradients(parameters: ReadonlyMap<string, Tensor>, step: number): void {
  for (const [name, parameter] of parameters)
    parameter.grad = reference.read(`gradient.${step}.${name}`).clone();
}

describe("AdamW", () => {
  test("gives torch.optim.AdamW's parameters bit for bit over three steps and two groups", () => {
    const { parameters, optimizer } = start();
    for (const step of [0, 1, 2]) {
      setGradients(parameters, step);
      optimizer.step();
      for (const [name, parameter] of parameters) {
        assert.equal(largestDifference(parameter, reference.read(`fused.${step}.${name}`)), 0);
        // The loop over single operations rounds otherwise.
        assert.ok(largestDifference(parameter, reference.read(`loop.${step}.${name}`)) <= 5e-7);
      }
    }
  });

  test("leaves biases and norms undecayed by groups", () => {
    const of = (...keys: string[]) => new Map(keys.map((key) => [key, ones([2])] as const));
    const matrices = [
      "embed_tokens.weight",
      "layers.0.q_proj.weight",
      "base.lora_A.weight",
      "class_embedding",
    ];
    const vectors = [
      "q_proj.bias",
      "input_layernorm.weight",
      "norm.weight",
      "layer_norm1.bias",
      "pre_layrnorm.weight",
    ];
    const named = (weightDecay: number) =>
      decayGroups(of(...matrices, ...vectors), { learningRate: 0.1, weightDecay }).map((group) => [
        [...group.parameters.keys()],
        group.learningRate,
        group.weightDecay,
      ]);
    assert.deepEqual(named(0.2), [
      [matrices, 0.1, 0.2],
      [vectors, 0.1, 0],
    ]);
    assert.deepEqual(named(0), [[[...matrices, ...vectors], 0.1, 0]]);
    assert.equal(decayGroups(of("a.weight"), { learningRate: 1, weightDecay: 1 }).length, 1);
  });

  test("goes on from a saved state as if it had not stopped", () => {
    const first = start();
    setGradients(first.parameters, 0);
    first.optimizer.step();
    const second = start();
    second.optimizer.load(
      new Map([...first.optimizer.state()].map(([name, value]) => [name, value.clone()])),
    );
    for (const [name, parameter] of second.parameters)
      parameter
        .requiresGrad_(false)
        .copy_(reference.read(`fused.0.${name}`))
        .requiresGrad_();
    setGradients(second.parameters, 1);
    second.optimizer.step();
    for (const [name, parameter] of second.parameters)
      assert.equal(largestDifference(parameter, reference.read(`fused.1.${name}`)), 0);
  });

  test("leaves a parameter without gradient, and its step count, alone", () => {
    const { parameters, optimizer } = start();
    setGradients(parameters, 0);
    parameters.get("b")!.grad = undefined;
    optimizer.step();
    assert.equal(largestDifference(parameters.get("b")!, reference.read("start.b")), 0);
    assert.equal(optimizer.state().get("b.steps")!.item(), 0);
    assert.equal(optimizer.state().get("a.steps")!.item(), 1);
  });

  test("names what a saved state lacks, has too much, or has in another shape", () => {
    const { optimizer } = start();
    const state = new Map(optimizer.state());
    const withStray = new Map([...state, ["d.steps", tensor([0])]]);
    assert.throws(() => optimizer.load(withStray), /d\.steps, which is not trained here/);
    const other = new Map([...state, ["b.first_moment", tensor([0])]]);
    assert.throws(() => optimizer.load(other), /b\.first_moment has shape \[1\], expected \[11\]/);
    state.delete("c.second_moment");
    assert.throws(() => optimizer.load(state), /lacks c\.second_moment/);
  });

  test("refuses parameters that are not float32, and the same one twice", () => {
    const group = (parameters: Map<string, Tensor>) => ({ parameters, learningRate: 1, weightDecay: 0 });
    assert.throws(
      () => new AdamW([group(new Map([["w", tensor([1], { dtype: "bfloat16" })]]))]),
      (error) => error instanceof LlavaError && /w is bfloat16/.test(error.message),
    );
    const shared = new Map([["w", tensor([1])]]);
    assert.throws(() => new AdamW([group(shared), group(shared)]), /w is in two groups/);
  });
});

describe("clipGradNorm", () => {
  test("returns torch's norm and scales as it does, above and below the limit", () => {
    const { parameters, optimizer } = start();
    for (const step of [0, 1, 2]) {
      setGradients(parameters, step);
      const expected = reference.read(`clipped.${step}.norm`).item();
      assert.ok(Math.abs(clipGradNorm(parameters.values(), 1) - expected) <= 1e-6 * expected);
      optimizer.step();
      for (const [name, parameter] of parameters)
        assert.ok(largestDifference(parameter, reference.read(`clipped.${step}.${name}`)) <= 2e-7);
    }
  });

  test("leaves no tensors behind, and gradients alone where the limit is infinite", () => {
    const parameter = randn([8], new Generator(0)).requiresGrad_();
    parameter.grad = randn([8], new Generator(1)).mul(100);
    const before = scope(() => parameter.grad!.toNumbers());
    const live = liveTensors();
    const norm = clipGradNorm([parameter], Infinity);
    assert.equal(liveTensors(), live);
    assert.deepEqual(
      scope(() => parameter.grad!.toNumbers()),
      before,
    );
    assert.ok(Math.abs(norm - Math.hypot(...before)) < 1e-3);
  });
});

describe("schedules", () => {
  const schedules = { cosine: cosineSchedule, linear: linearSchedule, constant: constantSchedule };
  for (const [name, schedule] of Object.entries(schedules))
    for (const ratio of ["0.0", "0.03", "0.25"])
      test(`${name} with a warm-up of ${ratio} is transformers'`, () => {
        const expected = reference.read(`schedule.${name}.${ratio}`).toNumbers();
        const factor = schedule({ total: 40, warmupRatio: Number(ratio) });
        for (const [step, rate] of expected.entries())
          assert.ok(
            Math.abs(factor(step) - rate) <= 1e-12,
            `step ${step}: ${factor(step)}, expected ${rate}`,
          );
      });

  test("take a number of warm-up steps as well, and refuse a total of 0", () => {
    const factor = linearSchedule({ total: 10, warmupSteps: 5 });
    assert.deepEqual([0, 1, 5, 10, 11].map(factor), [0, 0.2, 1, 0, 0]);
    assert.throws(() => cosineSchedule({ total: 0 }), /total ≥ 1/);
  });
});
