// The default model's own weights against timm and transformers. Skipped where they have not been fetched:
//   npx llava model pull llava-smol-135m
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { loadStrict, openGguf, openTorchFile, subtree } from "../../src/checkpoint/index.ts";
import {
  configFromGguf,
  createLanguageModel,
  EfficientNetLite,
  ggufDialect,
} from "../../src/models/index.ts";
import { rowsOf } from "../../src/processing/image/index.ts";
import { tokenizerFromGguf } from "../../src/processing/tokenizer/index.ts";
import { defaultModel, resolveModel } from "../../src/setup/index.ts";
import { fromTyped, inference, longTensor, scope, type Tensor, tensor } from "../../src/torch/index.ts";
import { assertClose } from "../support/close.ts";

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/real/${name}.json`, import.meta.url), "utf8"));

async function parts() {
  const model = await resolveModel(defaultModel, { offline: true }).catch(() => undefined);
  return model?.kind === "builtin" ? model : undefined;
}

const found = await parts();
const skip =
  found === undefined && `the weights are not here; fetch them: npx llava model pull ${defaultModel}`;

interface ImageReference {
  size: number;
  features: {
    shape: number[];
    mean: number;
    std: number;
    max: number;
    channels0to7: number[][][];
    row4column5: number[];
  };
}

test("EfficientNet-lite2 gives timm's features", { skip }, () => {
  const { size, features: expected } = fixture("efficientnet-lite2") as ImageReference;
  using tower = new EfficientNetLite("lite2");
  using file = openTorchFile(found!.visionTower);
  loadStrict(tower, file, { ignore: [/num_batches_tracked$/, /^_fc\./] });
  assert.equal(tower.imageSize, size);
  const pixels = new Float32Array(3 * size * size);
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) pixels[(c * size + i) * size + j] = Math.sin(0.1 * i + 0.07 * j + c);
  inference(() =>
    scope(() => {
      const rows = tower.forward(fromTyped(pixels, { dtype: "float32", shape: [1, 3, size, size] }));
      const [, width, grid] = expected.shape as [number, number, number, number];
      assert.deepEqual(rows.shape, [1, rowsOf(tower.grid), width]);
      const channels = rows.select(0, 0).transpose(0, 1).reshape([width, grid, grid]);
      const reference = expected.channels0to7.flat(2);
      assertClose(
        channels.slice(0, 0, 8),
        tensor(reference, { shape: [8, grid, grid] }),
        1e-4,
        "eight channels",
      );
      const column = channels.select(2, 5).select(1, 4).slice(0, 0, undefined, 16);
      assertClose(column, tensor(expected.row4column5), 1e-4, "a column through the channels");
      assert.ok(Math.abs(channels.mean().item() - expected.mean) < 1e-5);
      assert.ok(Math.abs(channels.amax().item() - expected.max) < 1e-5);
    }),
  );
});

interface TextReference {
  cases: {
    prompt: string;
    inputIds: number[];
    topIds: number[];
    topLogits: number[];
    logitsMean: number;
    greedyIds: number[];
    smallestGap: number;
  }[];
  tensors: Record<string, { shape: number[]; row: number; values: number[] }>;
}

describe("SmolLM2-135M gives transformers'", { skip }, () => {
  if (found === undefined) return;
  const reference = fixture("smollm2") as TextReference;
  const file = openGguf(found.languageModel, ggufDialect);
  const model = createLanguageModel(configFromGguf(file.header, found.languageModel));
  loadStrict(model, subtree(file, "model."), { dtype: "float32" });
  const tokenizer = tokenizerFromGguf(file.header.metadata);

  test("weights", () => {
    const named = model.namedParameters();
    for (const [name, { shape, row, values }] of Object.entries(reference.tensors)) {
      const weight = named.get(name.replace(/^model\./, ""))!;
      assert.deepEqual(weight.shape, shape);
      assertClose(weight.select(0, row).slice(0, 0, values.length), tensor(values), 1e-6, name);
    }
  });

  for (const { prompt, inputIds, topIds, topLogits, logitsMean, greedyIds, smallestGap } of reference.cases)
    test(`ids, logits and greedy answer of ${JSON.stringify(prompt)}`, () => {
      assert.deepEqual(tokenizer.encode(prompt, { special: true }), inputIds);
      using cache = model.newCache({ batch: 1, capacity: inputIds.length + greedyIds.length });
      const last = (ids: number[]): Tensor => {
        const hidden = model.forward(model.embed(longTensor(ids, [1, ids.length])), { cache });
        return model.logits(hidden.slice(1, -1)).flatten();
      };
      inference(() => {
        const first = scope(() => {
          const logits = last(inputIds);
          assertClose(logits.indexSelect(0, longTensor(topIds)), tensor(topLogits), 2e-3, "logits");
          assert.ok(Math.abs(logits.mean().item() - logitsMean) < 1e-3);
          return logits.argmax().item();
        });
        assert.ok(smallestGap > 4e-3, "greedy ids are only determined where two logits never come so close");
        const ids = [first];
        while (ids.length < greedyIds.length)
          ids.push(
            scope(() =>
              last([ids.at(-1)!])
                .argmax()
                .item(),
            ),
          );
        assert.deepEqual(ids, greedyIds);
      });
    });
});
