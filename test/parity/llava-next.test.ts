// Every stage of LLaVA-NeXT against transformers on tiny random checkpoints: npm test -- test/parity/llava-next.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canonicalName, openSafetensors, readSafetensorsHeader } from "../../src/checkpoint/index.ts";
import { LocalModel, traceStages } from "../../src/generation/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { loadCheckpoint } from "../../src/pretrained/index.ts";
import { decodeImage } from "../../src/processing/image/index.ts";
import { backward, cat, crossEntropy, fromTyped, noGrad, scope } from "../../src/torch/index.ts";
import { assertClose } from "../support/close.ts";
import { greedyIds } from "../support/greedy.ts";

const fixtures = fileURLToPath(new URL("../fixtures/llava-next/", import.meta.url));
const STAGE_TOLERANCE = 1e-4;

const readJson = (metadata: ReadonlyMap<string, string>, key: string): unknown =>
  JSON.parse(metadata.get(key)!);

for (const name of ["llama", "llama3", "mistral", "qwen2", "original"])
  describe(name, async () => {
    const source = `${fixtures}${name === "original" ? "llama" : name}/reference.safetensors`;
    const metadata = new Map(readSafetensorsHeader(source).metadata);
    const prompts = readJson(metadata, "prompts") as string[];
    const images = readJson(metadata, "images") as string[][];
    for (const [index, prompt] of prompts.entries())
      test(`${images[index]!.join(" and ")}: pixel values, features, embeddings, logits and greedy ids equal transformers'`, async () => {
        using reference = openSafetensors(source);
        const expected = (stage: string) => reference.read(`${index}.${stage}`);
        using pretrained = await loadCheckpoint(`${fixtures}${name}`);
        const paths = images[index]!.map((image) => `${fixtures}images/${image}.png`);
        using inputs = await new LocalModel(pretrained, { id: name }).prepare({ raw: prompt, images: paths });
        // The original code's placeholder is no token, nor has its vocabulary a row for one.
        const { imageTokenId, vocabSize } = {
          imageTokenId: pretrained.model.imageTokenId,
          ...pretrained.model.languageModel.config,
        };
        const ids = expected("input_ids")
          .toNumbers()
          .map((id) => (id >= vocabSize ? imageTokenId : id));
        assert.deepEqual(inputs.inputIds, ids);
        noGrad(() =>
          scope(() => {
            const stages = traceStages(pretrained.model, inputs);
            for (const stage of ["pixel_values", "vision_features", "projected_features", "inputs_embeds"])
              assertClose(stages.get(stage)!, expected(stage), STAGE_TOLERANCE, stage);
            assertClose(
              stages.get("logits")!,
              expected("logits").slice(-1, 0, vocabSize),
              STAGE_TOLERANCE,
              "logits",
            );
            assert.deepEqual(
              greedyIds(pretrained, stages.get("inputs_embeds")!, 24),
              expected("greedy_ids").toNumbers(),
            );
          }),
        );
      });
  });

test("ten steps of AdamW on images of two grids and a row without one have PyTorch's losses, gradients and parameters", async () => {
  const path = `${fixtures}llama/training.safetensors`;
  const metadata = new Map(readSafetensorsHeader(path).metadata);
  using stored = openSafetensors(path);
  using pretrained = await loadCheckpoint(`${fixtures}llama`);
  const { model, processor } = pretrained;
  const images = await Promise.all(
    (readJson(metadata, "images") as string[]).map((name) => decodeImage(`${fixtures}images/${name}.png`)),
  );
  const layouts = images.map((image) => processor.layoutOf(image));
  const pixels = cat(
    images.map((image) => {
      const { data, tiles, height, width } = processor.pixels(image);
      return fromTyped(data, { dtype: "float32", shape: [tiles, 3, height, width] });
    }),
  );
  // A mapped file is not to be written to by an optimizer.
  for (const [key, parameter] of model.namedParameters()) model.setParameter(key, parameter.clone());
  model.requiresGrad_();
  const named = model.namedParameters();
  assert.ok(named.has("image_newline"));
  using optimizer = new AdamW([{ parameters: named, learningRate: 1e-3, weightDecay: 0.01 }]);
  const read = (prefix: string) =>
    [...stored.names()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => [moduleKey(name.slice(prefix.length)), stored.read(name)] as const);
  for (const [step, expected] of stored.read("losses").toNumbers().entries())
    scope(() => {
      const inputs = model.embed(stored.read("batch.input_ids").to("int64"), { pixels, layouts });
      const logits = model.languageModel.logits(model.languageModel.forward(inputs));
      const labels = stored.read("batch.labels").to("int64").slice(1, 1).flatten();
      const loss = crossEntropy(logits.slice(1, 0, -1).flatten(0, 1), labels);
      assert.ok(
        Math.abs(loss.item() - expected) <= 1e-5 * expected,
        `step ${step + 1}: loss ${loss.item()}, expected ${expected}`,
      );
      backward([loss]);
      if (step === 0)
        for (const [key, gradient] of read("gradient."))
          assertClose(
            named.get(key)!.grad!,
            gradient,
            1e-4 * Math.max(1, gradient.abs().amax().item()),
            `gradient of ${key}`,
          );
      optimizer.step();
      optimizer.clearGradients();
    });
  const left = new Set(
    [
      ...(readJson(metadata, "unstable") as string[]),
      ...(readJson(metadata, "without_gradient") as string[]),
    ].map(moduleKey),
  );
  for (const [key, expected] of read("after."))
    if (!left.has(key)) assertClose(named.get(key)!, expected, 1e-5, key);
  for (const name of ["encoder.layers.2", "post_layernorm"])
    assert.ok(
      [...named].every(([key, { grad }]) => !key.includes(name) || grad === undefined),
      `${name} has no part in it`,
    );
});

const moduleKey = (name: string): string =>
  canonicalName(name)
    .replace(/^model\./, "")
    .replace(/^lm_head\./, "language_model.lm_head.");

test("images of different grids and a prompt without one answer in a batch as alone, and text takes no tower call", async () => {
  using pretrained = await loadCheckpoint(`${fixtures}llama`);
  const { model } = pretrained;
  let calls = 0;
  const { forward } = model.visionTower;
  model.visionTower.forward = function (...given) {
    calls++;
    return forward.apply(this, given);
  };
  const prompts = [["wide"], ["tall", "tiny"], []].map((names) => ({
    raw: `USER: ${"<image>".repeat(names.length)} What? ASSISTANT:`,
    images: names.map((name) => `${fixtures}images/${name}.png`),
  }));
  const local = new LocalModel(pretrained, { id: "next" });
  const answers = async (rows: typeof prompts) => {
    const texts: string[] = [];
    for await (const answered of local.answerBatch(
      rows.map((prompt) => ({ prompt })),
      { maxTokens: 12, temperature: 0 },
    ))
      if ("part" in answered && answered.part.type === "finish")
        texts[answered.row] = answered.part.output.text;
    return texts;
  };
  const alone = [];
  for (const prompt of prompts) alone.push(...(await answers([prompt])));
  assert.equal(calls, 2);
  assert.deepEqual(await answers(prompts), alone);
});
