// Towers whose activations are computed again: npm test -- src/models/vision-tower.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../test/support/close.ts";
import { randomize, tinyVision } from "../../test/support/random-model.ts";
import { ActivationCheckpoints } from "../nn/index.ts";
import { Generator, noGrad, ones, randn, scope, type Tensor, zeros } from "../torch/index.ts";
import { ClipVisionTower } from "./clip/model.ts";
import { EfficientNetLite } from "./efficientnet-lite/model.ts";
import { PooledTower } from "./pooled-tower.ts";
import type { VisionTower } from "./vision-tower.ts";

const clip = (featureLayers: readonly number[]) => {
  const tower = new ClipVisionTower(tinyVision, { featureLayers, selectStrategy: "patch" });
  return { tower: randomize(tower, 4), size: tinyVision.imageSize };
};

function pooled() {
  const tower = new PooledTower(new EfficientNetLite("lite0"), 2);
  using generator = new Generator(5);
  scope(() => {
    for (const [name, { shape }] of tower.namedParameters())
      tower.setParameter(
        name,
        /var$|std$/i.test(name)
          ? ones(shape)
          : /mean$/i.test(name)
            ? zeros(shape)
            : randn(shape, generator).mul(0.2),
      );
  });
  return { tower, size: 64 };
}

const towers: Readonly<Record<string, () => { tower: VisionTower; size: number }>> = {
  "CLIP's": () => clip([-2]),
  "CLIP's, several states of which are features,": () => clip([0, 1, -1]),
  "a pooled EfficientNet's": pooled,
};

describe("layers whose activations are computed again give the same loss and gradients, bit for bit:", () => {
  for (const [name, create] of Object.entries(towers))
    test(name, () => {
      const measure = (checkpoints?: ActivationCheckpoints) =>
        scope(() => {
          const { tower, size } = create();
          // The statistics of batch norms are frozen.
          for (const [key, weight] of tower.namedParameters())
            if (!/(?:mean|var|std)$/i.test(key)) weight.requiresGrad_();
          const pixels = randn([2, 3, size, size], new Generator(1));
          const features = tower.forward(pixels, checkpoints && { runLayer: checkpoints.run });
          const loss = features.pow(2).sum();
          if (checkpoints) checkpoints.backward(loss);
          else loss.backward();
          const gradients = [...tower.namedParameters()].flatMap(([key, { grad }]): [string, Tensor][] =>
            grad ? [[key, grad]] : [],
          );
          const alike = noGrad(() => tower.forward(pixels, checkpoints && { runLayer: checkpoints.run }));
          return { loss: loss.item(), gradients: new Map(gradients), features: alike };
        });
      const kept = measure();
      const recomputed = measure(new ActivationCheckpoints());
      assert.equal(recomputed.loss, kept.loss);
      assert.ok(Number.isFinite(kept.loss) && kept.gradients.size > 10);
      assert.deepEqual([...recomputed.gradients.keys()], [...kept.gradients.keys()]);
      for (const [key, gradient] of kept.gradients)
        assertClose(recomputed.gradients.get(key)!, gradient, 0, `gradient of ${key}`);
      assertClose(recomputed.features, kept.features, 0, "features without recording");
    });
});
