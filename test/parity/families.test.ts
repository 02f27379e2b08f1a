// Every stage of LLaVA around other towers and language models against transformers: npm test -- test/parity/families.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSafetensors, readSafetensorsHeader } from "../../src/checkpoint/index.ts";
import { LocalModel, traceStages } from "../../src/generation/index.ts";
import { loadCheckpoint, saveModel } from "../../src/pretrained/index.ts";
import { noGrad, scope } from "../../src/torch/index.ts";
import { assertClose } from "../support/close.ts";
import { greedyIds } from "../support/greedy.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/families/", import.meta.url));
const TOLERANCE = 1e-4;
const scratch = temporaryFolder("llava-families");

/** Checkpoints and the references of others that have the same weights. */
const references: Readonly<Record<string, string>> = { "onevision-original": "onevision" };

async function assertStages(folder: string, reference: string): Promise<void> {
  const source = `${fixtures}${reference}/reference.safetensors`;
  const metadata = new Map(readSafetensorsHeader(source).metadata);
  const prompts = JSON.parse(metadata.get("prompts")!) as string[];
  const images = JSON.parse(metadata.get("images")!) as string[][];
  using stored = openSafetensors(source);
  using pretrained = await loadCheckpoint(folder);
  const { model } = pretrained;
  const { vocabSize } = model.languageModel.config;
  for (const [index, prompt] of prompts.entries()) {
    const expected = (stage: string) => stored.read(`${index}.${stage}`);
    const of = `${images[index]!.join(" and ")}: `;
    const paths = images[index]!.map((image) => `${fixtures}images/${image}.png`);
    using inputs = await new LocalModel(pretrained, { id: reference }).prepare({
      raw: prompt,
      images: paths,
    });
    // The original code's placeholder is no token, nor has its vocabulary a row for one.
    const ids = expected("input_ids")
      .toNumbers()
      .map((id) => (id >= vocabSize ? model.imageTokenId : id));
    assert.deepEqual(inputs.inputIds, ids, of);
    noGrad(() =>
      scope(() => {
        const stages = traceStages(model, inputs);
        assertClose(stages.get("pixel_values")!, expected("pixel_values"), 0, `${of}pixel_values`);
        for (const stage of ["vision_features", "projected_features", "inputs_embeds"])
          assertClose(stages.get(stage)!, expected(stage), TOLERANCE, of + stage);
        const logits = expected("logits").slice(-1, 0, vocabSize);
        assertClose(stages.get("logits")!.slice(1, -4), logits, TOLERANCE, `${of}logits`);
        assert.deepEqual(
          greedyIds(pretrained, stages.get("inputs_embeds")!, 24),
          expected("greedy_ids").toNumbers(),
          of,
        );
      }),
    );
  }
}

describe("pixel values, features, embeddings, logits and greedy ids are transformers':", () => {
  for (const name of ["interleave", "siglip-original", "onevision", "onevision-original", "qwen3", "gemma"])
    test(name, async () => {
      await assertStages(`${fixtures}${name}`, references[name] ?? name);
      const again = `${scratch}/${name}`;
      {
        using pretrained = await loadCheckpoint(`${fixtures}${name}`);
        const { model, origin, processor } = pretrained;
        saveModel(model, again, { origin: origin!, dtype: "float32", metadata: {}, prompts: processor });
      }
      await assertStages(again, references[name] ?? name);
    });
});

test("a video of OneVision: pixel values, embeddings and logits are transformers', pooled behind the projector", async () => {
  const source = `${fixtures}clip/reference.safetensors`;
  const raw = new Map(readSafetensorsHeader(source).metadata).get("prompt")!;
  using stored = openSafetensors(source);
  using pretrained = await loadCheckpoint(`${fixtures}onevision`);
  const { model } = pretrained;
  const prompt = { raw, images: [{ path: `${fixtures}clip` }] };
  using inputs = await new LocalModel(pretrained, { id: "onevision" }).prepare(prompt, {
    frames: 4,
    maxTokens: 4,
  });
  const ids = stored.read("input_ids").toNumbers();
  assert.equal(inputs.inputIds.length, ids.length);
  const [layout] = inputs.layouts!;
  assert.ok(layout!.tiles === "frames" && layout!.newlines === "video" && layout!.pooling.place === "after");
  noGrad(() =>
    scope(() => {
      const stages = traceStages(model, inputs);
      assertClose(stages.get("pixel_values")!, stored.read("pixel_values"), TOLERANCE, "pixel values");
      assertClose(stages.get("inputs_embeds")!, stored.read("inputs_embeds"), TOLERANCE, "embeddings");
      const logits = stored.read("logits").slice(-1, 0, model.languageModel.config.vocabSize);
      assertClose(stages.get("logits")!.slice(1, -4), logits, TOLERANCE, "logits");
    }),
  );
});
