// Every stage of LLaVA against transformers on tiny random checkpoints: npm test -- test/parity/llava.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  canonicalName,
  openSafetensors,
  readSafetensorsHeader,
  type TensorSource,
} from "../../src/checkpoint/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { loadCheckpoint, type PretrainedLlava } from "../../src/pretrained/index.ts";
import { rawPrompt } from "../../src/processing/conversation/index.ts";
import { decodeImage, rowsOf } from "../../src/processing/image/index.ts";
import {
  backward,
  crossEntropy,
  fromTyped,
  longTensor,
  noGrad,
  scope,
  stack,
  type Tensor,
} from "../../src/torch/index.ts";
import { assertClose, largestDifference } from "../support/close.ts";
import { greedyIds } from "../support/greedy.ts";

const fixtures = fileURLToPath(new URL("../fixtures/llava/", import.meta.url));
const STAGE_TOLERANCE = 1e-4; // measured: at most 4e-6

async function pixelsOf(names: readonly string[], pretrained: PretrainedLlava): Promise<Tensor> {
  const images = await Promise.all(names.map((name) => decodeImage(`${fixtures}images/${name}`)));
  return stack(
    images.map((image) => {
      const { data, height, width } = pretrained.processor.pixels(image);
      return fromTyped(data, { dtype: "float32", shape: [3, height, width] });
    }),
  );
}

function idsOf(prompt: string, images: number, { processor }: PretrainedLlava): number[] {
  const layouts = Array.from({ length: images }, () => processor.layoutOf());
  return processor.encodePrompt(rawPrompt(prompt, Array(images).fill({ type: "image" })), layouts).inputIds;
}

const metadataOf = (path: string): Record<string, string> =>
  Object.fromEntries(readSafetensorsHeader(path).metadata);

for (const name of ["llama", "llama-gqa-full", "qwen2", "multi-layer", "legacy-4x", "original"]) {
  describe(name, async () => {
    const folder = `${fixtures}${name}`;
    const referencePath = `${name === "legacy-4x" ? `${fixtures}llama` : folder}/reference.safetensors`;
    const metadata = metadataOf(referencePath);
    const prompts = JSON.parse(metadata["prompts"]!) as string[];
    const images = JSON.parse(metadata["images"]!) as string[][];

    test("pixel values, ids, features, embeddings, logits and greedy ids equal transformers'", async () => {
      using reference = openSafetensors(referencePath);
      using pretrained = await loadCheckpoint(folder);
      const { model } = pretrained;
      const pixelValues = await pixelsOf(images[0]!, pretrained);
      assertClose(pixelValues, reference.read("pixel_values"), 1e-5, "pixel values");
      const ids = idsOf(prompts[0]!, images[0]!.length, pretrained);
      const expectedIds = reference.read("input_ids").toNumbers();
      // The original code's prompts hold one placeholder an image; its features take their places later.
      const expanded = expectedIds.flatMap((id) =>
        id === -200 ? Array<number>(rowsOf(model.visionTower.grid)).fill(id) : [id],
      );
      assert.deepEqual(ids, expanded);

      noGrad(() =>
        scope(() => {
          const features = model.encodeImages(pixelValues);
          assertClose(features, reference.read("vision_features"), STAGE_TOLERANCE, "vision features");
          const projected = model.project(features);
          assertClose(projected, reference.read("projected_features"), STAGE_TOLERANCE, "projected features");
          const embeddings = model.spliceImages(longTensor(ids, [1, ids.length]), projected);
          assertClose(embeddings, reference.read("inputs_embeds"), STAGE_TOLERANCE, "inputs embeds");
          const logits = model.languageModel.logits(model.languageModel.forward(embeddings));
          assertClose(logits, reference.read("logits"), STAGE_TOLERANCE, "logits");
          assert.deepEqual(greedyIds(pretrained, embeddings, 24), reference.read("greedy_ids").toNumbers());
        }),
      );
    });
  });
}

for (const name of ["llama", "llama-gqa-full", "qwen2"]) {
  test(`${name}: loss, gradients and parameters after AdamW steps equal PyTorch's`, async () => {
    const folder = `${fixtures}${name}`;
    const path = `${folder}/training.safetensors`;
    const metadata = metadataOf(path);
    using stored = openSafetensors(path);
    using pretrained = await loadCheckpoint(folder);
    const { model } = pretrained;
    const reference = metadataOf(`${folder}/reference.safetensors`);
    const pixelValues = await pixelsOf((JSON.parse(reference["images"]!) as string[][]).flat(), pretrained);

    // A mapped file is not to be written to by an optimizer.
    for (const [key, parameter] of model.namedParameters()) model.setParameter(key, parameter.clone());
    model.requiresGrad_();
    const named = model.namedParameters();
    const gradients = canonical(stored, "gradient.");
    const after = canonical(stored, "after.");
    const optimizer = new AdamW([{ parameters: named, learningRate: 1e-3, weightDecay: 0.01 }]);
    const unstable = new Set((JSON.parse(metadata["unstable"]!) as string[]).map(moduleKey));
    const losses = stored.read("losses").toNumbers();
    for (const [step, expected] of losses.entries()) {
      scope(() => {
        const loss = lossOf(pretrained, stored, pixelValues);
        assert.ok(
          Math.abs(loss.item() - expected) <= 1e-4 * Math.abs(expected),
          `loss ${loss.item()}, expected ${expected}`,
        );
        backward([loss]);
        if (step === 0) {
          for (const [key, source] of gradients) {
            const actual = named.get(key)?.grad;
            assert.ok(actual, `${key} has no gradient`);
            const scale = Math.max(source.abs().amax().item(), 1e-3);
            const difference = largestDifference(actual, source) / scale;
            assert.ok(difference <= 1e-4, `gradient of ${key}: relative difference ${difference}`);
          }
        }
        optimizer.step();
        optimizer.clearGradients();
      });
    }
    // Tower layers above the selected one have no part in the model, nor a gradient there.
    const unused = new Set((JSON.parse(metadata["without_gradient"]!) as string[]).map(moduleKey));
    for (const [key, expected] of after)
      if (!unstable.has(key) && !unused.has(key))
        assertClose(named.get(key)!, expected, 1e-5, `${key} after ${losses.length} steps`);
    optimizer[Symbol.dispose]();
  });
}

const moduleKey = (name: string): string =>
  canonicalName(name)
    .replace(/^model\./, "")
    .replace(/^lm_head\./, "language_model.lm_head.");

function canonical(source: TensorSource, prefix: string): Map<string, Tensor> {
  const names = [...source.names()].filter((name) => name.startsWith(prefix));
  return new Map(names.map((name) => [moduleKey(name.slice(prefix.length)), source.read(name)]));
}

/** Mean cross-entropy of the supervised tokens of two rows padded on the right. */
function lossOf({ model }: PretrainedLlava, stored: TensorSource, pixelValues: Tensor): Tensor {
  const ids = stored.read("batch.input_ids").to("int64");
  const labels = stored.read("batch.labels").to("int64");
  const logits = model.forward(ids, pixelValues);
  return crossEntropy(logits.slice(1, 0, -1).flatten(0, 1), labels.slice(1, 1).flatten());
}
