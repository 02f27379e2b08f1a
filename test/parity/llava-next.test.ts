// Every stage of LLaVA-NeXT against transformers on tiny random checkpoints: npm test -- test/parity/llava-next.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSafetensors, readSafetensorsHeader } from "../../src/checkpoint/index.ts";
import { preparePrompt } from "../../src/generation/prompt.ts";
import { traceStages } from "../../src/generation/trace.ts";
import { loadCheckpoint } from "../../src/pretrained/index.ts";
import { noGrad, scope } from "../../src/torch/index.ts";
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
        using inputs = await preparePrompt(pretrained, { raw: prompt, images: paths });
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
