// Gradients with and without recomputed activations: npm test -- src/nn/activation-checkpoints.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../test/support/close.ts";
import { collectGarbage } from "../../test/support/garbage.ts";
import { backward, Generator, keep, liveTensors, noGrad, randn, scope, type Tensor } from "../torch/index.ts";
import { ActivationCheckpoints, AdaptedLinear, Linear, LowRankAdapter, type SegmentRunner } from "./index.ts";

const generator = new Generator(1);
const direct: SegmentRunner = (segment, hidden) => segment(hidden);

/** Three linear layers with an activation between; the first is behind a learning input, the others adapted. */
function network(dropout = 0) {
  const drawing = new Generator(2);
  const layers: Linear[] = Array.from({ length: 3 }, () => {
    const layer = new Linear(8, 8, { bias: true });
    for (const [name, { shape }] of layer.namedParameters())
      layer.setParameter(name, randn(shape, drawing).mul(0.4));
    return layer;
  });
  const dropping = new Generator(3);
  const adapters = layers.slice(1).map((layer) => {
    const adapter = new LowRankAdapter([8, 8], { rank: 2, alpha: 2, dropout }, dropping);
    adapter.setParameter("lora_B.weight", randn([8, 2], drawing));
    return new AdaptedLinear(layer, adapter);
  });
  layers.splice(1, 2, ...adapters);
  const embedding = keep(randn([2, 5, 8], drawing)).requiresGrad_();
  for (const layer of layers) layer.requiresGrad_();
  const leaves = [embedding, ...layers.flatMap((layer) => layer.parameters())];
  const loss = (run: SegmentRunner): Tensor =>
    layers
      .reduce((hidden, layer) => run((x) => layer.forward(x).sigmoid(), hidden), embedding.mul(2))
      .pow(2)
      .sum();
  return { adapters, leaves, loss, dropping };
}

const gradients = ({ leaves }: { leaves: Tensor[] }) => leaves.map(({ grad }) => grad!);

describe("recomputed activations", () => {
  for (const dropout of [0, 0.5])
    test(`give the loss and gradients of kept ones to the last bit, dropout ${dropout}, over two batches`, () => {
      const [kept, recomputed] = [network(dropout), network(dropout)];
      const checkpoints = new ActivationCheckpoints({ generators: [recomputed.dropping] });
      for (let batch = 0; batch < 2; batch++)
        scope(() => {
          const expected = kept.loss(direct);
          backward([expected]);
          const actual = recomputed.loss(checkpoints.run);
          checkpoints.backward(actual);
          assert.equal(actual.item(), expected.item());
          for (const [i, gradient] of gradients(recomputed).entries())
            assertClose(gradient, gradients(kept)[i]!, 0, `gradient ${i} of batch ${batch}`);
        });
      assert.deepEqual(recomputed.dropping.state().toNumbers(), kept.dropping.state().toNumbers());
    });

  test("reach only what learns: layers before it are not computed again", () => {
    const { adapters, loss, leaves } = network();
    for (const leaf of leaves) leaf.requiresGrad_(false);
    adapters[0]!.adapter.requiresGrad_();
    const calls: number[] = [];
    const checkpoints = new ActivationCheckpoints();
    let index = 0;
    scope(() => {
      const value = loss((segment, hidden) => {
        const number = index++;
        return checkpoints.run((x) => {
          calls.push(number);
          return segment(x);
        }, hidden);
      });
      checkpoints.backward(value);
    });
    assert.deepEqual(calls, [0, 1, 2, 2, 1]);
    assert.deepEqual(
      leaves.map(({ grad }) => grad !== undefined),
      leaves.map((leaf) => adapters[0]!.adapter.parameters().includes(leaf)),
    );
  });

  test("are nothing but the segments' where no gradients are recorded", () => {
    const { loss } = network(0.5);
    const checkpoints = new ActivationCheckpoints();
    noGrad(() => assert.equal(loss(checkpoints.run).item(), loss(direct).item()));
  });

  test("leave no tensors behind, and fewer alive between the passes", () => {
    const { loss, leaves } = network();
    const step = (run: SegmentRunner, end: (loss: Tensor) => void) =>
      scope(() => {
        end(loss(run));
        for (const leaf of leaves) leaf.grad = undefined;
      });
    const checkpoints = new ActivationCheckpoints();
    const once = () => step(checkpoints.run, (value) => checkpoints.backward(value));
    once();
    collectGarbage();
    const before = liveTensors();
    once();
    once();
    collectGarbage();
    assert.equal(liveTensors(), before);
    const alive: number[] = [];
    step(direct, (value) => {
      alive.push(liveTensors());
      backward([value]);
    });
    step(checkpoints.run, (value) => {
      alive.push(liveTensors());
      checkpoints.backward(value);
    });
    assert.ok(alive[1]! < alive[0]! - 10, `${alive}`);
  });
});

test("a segment drawn from normal numbers is replayed with the same ones", () => {
  const noise = new Generator(4);
  const leaf = keep(randn([4], generator)).requiresGrad_();
  const checkpoints = new ActivationCheckpoints({ generators: [noise] });
  const drawn: number[][] = [];
  scope(() => {
    const segment = (x: Tensor) => {
      const factor = randn([4], noise);
      drawn.push(factor.toNumbers());
      return x.mul(factor);
    };
    const output = checkpoints.run(segment, checkpoints.run(segment, leaf));
    checkpoints.backward(output.sum());
  });
  assert.deepEqual(drawn.slice(2), [drawn[1], drawn[0]]);
  assert.deepEqual(
    leaf.grad!.toNumbers(),
    drawn[0]!.map((value, i) => Math.fround(value * drawn[1]![i]!)),
  );
});
