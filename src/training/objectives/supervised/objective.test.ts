// Packed captions against one sequence a caption: npm test -- src/training/objectives
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertClose } from "../../../../test/support/close.ts";
import { loadCheckpoint, type PretrainedLlava } from "../../../pretrained/index.ts";
import { rowsOf } from "../../../processing/image/index.ts";
import {
  cat,
  crossEntropy,
  Generator,
  keep,
  longTensor,
  randn,
  scope,
  type Tensor,
} from "../../../torch/index.ts";
import { type PackedBatch, type PackingSample, packSamples } from "../../batches/packing.ts";
import { SupervisedObjective } from "./objective.ts";

const folder = fileURLToPath(new URL("../../../../test/fixtures/llava/llama", import.meta.url));
const captions = [
  [
    [5, 9, 11, 2],
    [7, 2],
    [30, 31, 32, 33, 34, 2],
  ],
  [[12, 2]],
  [
    [8, 8, 8, 2],
    [40, 41, 2],
  ],
];

async function prepare() {
  const pretrained = await loadCheckpoint(folder);
  const { model } = pretrained;
  model.requiresGrad_(false);
  model.projector.requiresGrad_();
  const { grid, hiddenSize } = model.visionTower;
  const tokens = rowsOf(grid);
  const features = randn([captions.length, tokens, hiddenSize], new Generator(7));
  const prefix = [1, ...Array<number>(tokens).fill(model.imageTokenId)];
  return { pretrained, features, prefix };
}

/** An untrained prefix, and what goes on from it. */
const sampleOf = (
  prefix: readonly number[],
  continuations: readonly (readonly number[])[],
): PackingSample => ({
  inputIds: prefix,
  labels: prefix.map(() => -100),
  continuations: continuations.map((ids) => ({ inputIds: ids, labels: ids })),
});

/** The same as one sequence. */
const lineOf = (prefix: readonly number[], ids: readonly number[]): PackingSample => ({
  inputIds: [...prefix, ...ids],
  labels: [...prefix.map(() => -100), ...ids],
  continuations: [],
});

type Measured = { loss: Tensor; gradients: Map<string, Tensor> };

/** Loss and gradients of the projector, which are cleared. */
function measure({ model }: PretrainedLlava, body: () => Tensor): Measured {
  return scope(() => {
    const loss = body();
    loss.backward();
    const gradients = new Map<string, Tensor>();
    for (const [name, parameter] of model.projector.namedParameters()) {
      gradients.set(name, keep(parameter.grad!.clone()));
      parameter.grad = undefined;
    }
    return { loss: loss.detach(), gradients };
  });
}

/** Every caption behind an image of its own, causal, one at a time; the whole vocabulary at every position. */
function oneByOne(pretrained: PretrainedLlava, features: Tensor, prefix: readonly number[]): Measured {
  const { model } = pretrained;
  return measure(pretrained, () => {
    const losses = captions.flatMap((continuations, image) =>
      continuations.map((ids) => {
        const inputIds = [...prefix, ...ids];
        const labels = [...prefix.map(() => -100), ...ids];
        const projected = model.project(features.slice(0, image, image + 1));
        const inputs = model.spliceImages(longTensor(inputIds, [1, inputIds.length]), projected);
        const logits = model.languageModel.logits(model.languageModel.forward(inputs)).squeeze(0);
        return crossEntropy(logits.slice(0, 0, -1), longTensor(labels.slice(1)), "sum").reshape([1]);
      }),
    );
    return cat(losses).sum();
  });
}

/** `images`: which features each sample is behind. */
const measurePacked = (
  pretrained: PretrainedLlava,
  features: Tensor,
  packed: PackedBatch,
  images: readonly number[],
): Measured =>
  measure(pretrained, () =>
    new SupervisedObjective(pretrained.model, (features) => features).loss({
      ...packed,
      images: features.indexSelect(0, longTensor(packed.order.map((sample) => images[sample]!))),
      layouts: packed.order.map(() => ({ tiles: "whole", size: undefined })),
      samples: [],
      owners: new Int32Array(),
      origins: [],
      [Symbol.dispose]() {},
    }),
  );

function assertSame(actual: Measured, expected: Measured, tolerance = 1e-5): void {
  const scale = expected.loss.item();
  assert.ok(Math.abs(actual.loss.item() - scale) <= 1e-5 * scale, `${actual.loss.item()} and ${scale}`);
  for (const [key, gradient] of expected.gradients) {
    // How far sums in another order are apart grows with what is summed, and differs from processor to processor.
    const size = Math.max(1, ...gradient.toFloat32Array().map(Math.abs));
    assertClose(actual.gradients.get(key)!, gradient, tolerance * size, `gradient of ${key}`);
  }
}

describe("packed captions", () => {
  const layouts: Record<
    string,
    (prefix: readonly number[]) => { samples: PackingSample[]; images: number[] }
  > = {
    "sharing their image": (prefix) => ({
      samples: captions.map((continuations) => sampleOf(prefix, continuations)),
      images: [0, 1, 2],
    }),
    "each behind its image": (prefix) => ({
      samples: captions.flat().map((ids) => lineOf(prefix, ids)),
      images: captions.flatMap((of, image) => of.map(() => image)),
    }),
  };
  for (const [name, layout] of Object.entries(layouts)) {
    for (const words of [120, 300])
      test(`${name}, behind ${words} words, in blocks, have the loss and gradients of separate ones`, async () => {
        const { pretrained, features, prefix } = await prepare();
        using _ = pretrained;
        const long = [...prefix, ...Array.from({ length: words }, (_, i) => 3 + (i % 250))];
        const expected = oneByOne(pretrained, features, long);
        const { samples, images } = layout(long);
        const packed = packSamples(samples, 1);
        assert.ok("blocks" in packed.attention && packed.attention.blocks.length >= samples.length);
        assert.equal(packed.inputIds.size(0), 1);
        // Kernels for short and for long blocks add in different orders.
        assertSame(measurePacked(pretrained, features, packed, images), expected, 5e-5);
      });
    for (const rows of [1, 2, 4])
      test(`${name}, in ${rows} rows, have the loss and gradients of separate ones`, async () => {
        const { pretrained, features, prefix } = await prepare();
        using _ = pretrained;
        const expected = oneByOne(pretrained, features, prefix);
        const { samples, images } = layout(prefix);
        const packed = packSamples(samples, rows);
        assert.equal(packed.inputIds.size(0), Math.min(rows, samples.length));
        assert.equal(packed.units, captions.flat(2).length);
        assertSame(measurePacked(pretrained, features, packed, images), expected);
      });
  }

  test("see nothing of each other: another caption's words leave a caption's hidden states alone", async () => {
    const { pretrained, features, prefix } = await prepare();
    using _ = pretrained;
    const { languageModel } = pretrained.model;
    const hiddenOf = (other: number) =>
      scope(() => {
        const continuations = [
          [5, 6, 2],
          [other, other, 2],
        ];
        const packed = packSamples([sampleOf(prefix, continuations)], 1);
        const projected = pretrained.model.project(features.slice(0, 0, 1));
        const inputs = pretrained.model.spliceImages(packed.inputIds, projected);
        const { positions, attention } = packed;
        return languageModel.forward(inputs, { positions, attention }).slice(1, 0, prefix.length + 2);
      });
    assertClose(hiddenOf(10), hiddenOf(90), 0, "hidden states of image and first caption");
  });
});
