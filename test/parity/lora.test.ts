// Adapters written by PEFT, on the tiny checkpoints, against PEFT: npm test -- test/parity/lora.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  loadStrict,
  openCheckpoint,
  openSafetensors,
  renamed,
  type TensorSource,
  writeSafetensors,
} from "../../src/checkpoint/index.ts";
import { createLanguageModel, type Llava, readLlavaConfig } from "../../src/models/index.ts";
import {
  adapterParameters,
  loadAdapter,
  loadCheckpoint,
  loadPretrained,
  mergeLora,
  readAdapterConfig,
  saveAdapter,
} from "../../src/pretrained/index.ts";
import { crossEntropy, inference, noGrad, scope, type Tensor } from "../../src/torch/index.ts";
import { assertClose, largestDifference } from "../support/close.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const adapter = (name: string): string => join(fixtures, "lora", name);
const checkpoint = (name: string): string => join(fixtures, "llava", name);
const reference = (folder: string): TensorSource => openSafetensors(join(folder, "reference.safetensors"));
const scratch = temporaryFolder("llava-lora");

const TOLERANCE = 1e-4; // measured: at most 4e-6

function logitsOf(model: Llava): Tensor {
  using inputs = reference(checkpoint("llama"));
  return inference(() => model.forward(inputs.read("input_ids").to("int64"), inputs.read("pixel_values")));
}

describe("an adapter of transformers' LLaVA, with its projector", () => {
  test("beside its base and merged gives PEFT's logits", async () => {
    using stored = reference(adapter("llava"));
    const expected = stored.read("logits");
    using base = await loadCheckpoint(checkpoint("llama"));
    assert.ok(largestDifference(logitsOf(base.model), expected) > 0.1);
    const config = loadAdapter(base.model, adapter("llava"));
    assert.deepEqual([config.rank, config.alpha, config.wholeModules], [4, 6, ["multi_modal_projector"]]);
    const unmerged = logitsOf(base.model);
    assertClose(unmerged, expected, TOLERANCE, "unmerged");
    mergeLora(base.model);
    const largest = unmerged.abs().amax().item();
    assertClose(logitsOf(base.model), unmerged, 1e-5 * largest, "merged"); // measured: 2e-6
  });

  test("is found its base by itself", async () => {
    using stored = reference(adapter("llava"));
    using loaded = await loadPretrained({ kind: "folder", path: adapter("llava") });
    assertClose(logitsOf(loaded.model), stored.read("logits"), TOLERANCE, "logits");
    assert.deepEqual([...adapterParameters(loaded.model)], []);
  });

  test("has PEFT's loss and gradients", async () => {
    using stored = reference(adapter("llava"));
    using batch = openSafetensors(join(checkpoint("llama"), "training.safetensors"));
    using base = await loadCheckpoint(checkpoint("llama"));
    const { model } = base;
    loadAdapter(model, adapter("llava"));
    model.projector.requiresGrad_();
    const named = new Map(adapterParameters(model));
    for (const [name, parameter] of model.projector.namedParameters("multi_modal_projector."))
      named.set(`base_model.model.model.${name}`, parameter);
    const loss = scope(() => {
      const logits = model.forward(
        batch.read("batch.input_ids").to("int64"),
        batch.read("batch.pixel_values"),
      );
      const labels = batch.read("batch.labels").to("int64").slice(1, 1).flatten();
      return crossEntropy(logits.slice(1, 0, -1).flatten(0, 1), labels);
    });
    loss.backward();
    assert.ok(Math.abs(loss.item() - stored.read("loss").item()) < 1e-5);
    const gradients = [...stored.names()].filter((name) => name.startsWith("gradient."));
    assert.equal(gradients.length, named.size);
    for (const name of gradients) {
      const expected = stored.read(name);
      const actual = named.get(name.slice("gradient.".length))?.grad;
      assert.ok(actual, name);
      const scale = Math.max(expected.abs().amax().item(), 1e-3);
      const difference = largestDifference(actual, expected) / scale;
      assert.ok(difference < 1e-4, `${name}: ${difference}`);
    }
  });

  test("is written again with the same tensors, names and options", async () => {
    using base = await loadCheckpoint(checkpoint("llama"));
    const config = loadAdapter(base.model, adapter("llava"));
    const folder = join(scratch, "again");
    const { wholeModules } = config;
    saveAdapter(base.model, folder, { baseModel: config.baseModel!, wholeModules });
    assert.deepEqual(readAdapterConfig(folder), config);
    const file = "adapter_model.safetensors";
    using written = openSafetensors(join(folder, file));
    using original = openSafetensors(join(adapter("llava"), file));
    assert.deepEqual([...written.names()].sort(), [...original.names()].sort());
    for (const name of original.names()) assertClose(written.read(name), original.read(name), 0, name);
  });
});

const lastLogits = (model: Llava) => {
  const logits = logitsOf(model);
  return logits.slice(1, logits.shape[1]! - 3);
};

const KINDS = ["decomposed", "patterns", "layers", "regex", "biases"];
for (const name of KINDS)
  describe(`PEFT's adapter with ${name}`, () => {
    const path = adapter(join("kinds", name));

    test("gives PEFT's logits, beside its base and merged", async () => {
      using stored = reference(path);
      using base = await loadCheckpoint(checkpoint("llama"));
      assert.ok(largestDifference(lastLogits(base.model), stored.read("logits")) > 0.01);
      using loaded = await loadPretrained({ kind: "folder", path });
      assertClose(lastLogits(loaded.model), stored.read("logits"), 1e-5, "merged");
      loadAdapter(base.model, path);
      assertClose(lastLogits(base.model), stored.read("logits"), 1e-5, "beside");
    });

    test("stays beside weights in 8 bits with about the same logits, the same at each call", async () => {
      using stored = reference(path);
      using base = await loadPretrained({ kind: "folder", path: checkpoint("llama") });
      using loaded = await loadPretrained({ kind: "folder", path }, { weights: "int8" });
      const [first, second] = [lastLogits(loaded.model), lastLogits(loaded.model)];
      const distance = largestDifference(lastLogits(base.model), stored.read("logits"));
      assertClose(first, stored.read("logits"), Math.min(0.2, distance / 2), "logits");
      assertClose(second, first, 0, "again");
    });

    if (name === "biases") return;
    test("is written again with the same tensors, and means the same layers and sizes", async () => {
      using base = await loadCheckpoint(checkpoint("llama"));
      const { wholeModules, baseModel } = loadAdapter(base.model, path);
      const folder = join(scratch, `again-${name}`);
      saveAdapter(base.model, folder, { baseModel: baseModel!, wholeModules });
      using written = openSafetensors(join(folder, "adapter_model.safetensors"));
      using original = openSafetensors(join(path, "adapter_model.safetensors"));
      // What features never use has no place in a model.
      const names = [...original.names()].filter((each) => !/encoder\.layers\.2\./.test(each));
      assert.deepEqual([...written.names()].sort(), names.sort());
      for (const each of names) assertClose(written.read(each), original.read(each), 0, each);
      using again = await loadCheckpoint(checkpoint("llama"));
      loadAdapter(again.model, folder);
      assertClose(lastLogits(again.model), lastLogits(base.model), 0, "logits");
    });
  });

describe("an adapter that reaches what the features never use", () => {
  const reaching = ["list", "all-linear", "whole-tower", "norms"];
  for (const name of reaching)
    test(`${name} gives PEFT's logits`, async () => {
      const path = adapter(join("reaching", name));
      using stored = reference(path);
      using base = await loadCheckpoint(checkpoint("llama"));
      assert.ok(largestDifference(lastLogits(base.model), stored.read("logits")) > 0.01);
      using loaded = await loadPretrained({ kind: "folder", path });
      assertClose(lastLogits(loaded.model), stored.read("logits"), TOLERANCE, "merged");
      loadAdapter(base.model, path);
      assertClose(lastLogits(base.model), stored.read("logits"), TOLERANCE, "beside");
    });

  test("under the original code's names gives the same", async () => {
    for (const name of reaching) {
      const from = adapter(join("reaching", name));
      const path = join(scratch, `original-${name}`);
      cpSync(from, path, { recursive: true });
      using tensors = openSafetensors(join(from, "adapter_model.safetensors"));
      const originals = [...tensors.names()].map((tensor): [string, Tensor] => [
        tensor
          .replace("model.language_model.", "model.")
          .replace("model.vision_tower.", "model.vision_tower.vision_tower.vision_model.")
          .replace(
            /multi_modal_projector\.linear_(\d)/,
            (_, n: string) => `mm_projector.${2 * Number(n) - 2}`,
          ),
        tensors.read(tensor),
      ]);
      writeSafetensors(join(path, "adapter_model.safetensors"), new Map(originals));
      using stored = reference(from);
      using base = await loadCheckpoint(checkpoint("llama"));
      loadAdapter(base.model, path);
      assertClose(lastLogits(base.model), stored.read("logits"), TOLERANCE, name);
    }
  });

  test("but one of a layer that the tower has not is of another model", async () => {
    const path = join(scratch, "beyond");
    cpSync(adapter("llava"), path, { recursive: true });
    using tensors = openSafetensors(join(path, "adapter_model.safetensors"));
    const names = [...tensors.names()].map((name): [string, Tensor] => [
      name.replace("language_model.layers.1.", "language_model.layers.7."),
      tensors.read(name).clone(),
    ]);
    writeSafetensors(join(path, "adapter_model.safetensors"), new Map(names));
    using base = await loadCheckpoint(checkpoint("llama"));
    assert.throws(
      () => loadAdapter(base.model, path),
      /adapts language_model\.layers\.7\..*, which the model lacks/,
    );
  });
});

test("a rank-stabilised adapter of a language model alone gives PEFT's logits, and is written by ends of paths", async () => {
  using model = createLanguageModel(readLlavaConfig(checkpoint("llama")).text);
  const weights = renamed(openCheckpoint(checkpoint("llama")), (name) =>
    /^(model\.language_model|lm_head)\./.test(name) ? name.replace("model.language_model.", "") : undefined,
  );
  loadStrict(model, weights);
  weights[Symbol.dispose]();
  using stored = reference(adapter("language-model"));
  const config = loadAdapter(model, adapter("language-model"));
  assert.equal(config.rankStabilized, true);
  const ids = stored.read("input_ids").to("int64");
  const logits = noGrad(() => model.logits(model.forward(model.embed(ids))));
  assertClose(logits, stored.read("logits"), TOLERANCE, "logits");
  const folder = join(scratch, "language-model");
  saveAdapter(model, folder, { baseModel: "some/base" });
  assert.deepEqual(readAdapterConfig(folder), {
    ...config,
    targets: ["q_proj", "down_proj"],
    baseModel: "some/base",
  });
});

describe("the original code's files", () => {
  test("lay projector and adapter over a base, which may be a language model alone", async () => {
    const alone = join(scratch, "language-model-alone");
    cpSync(checkpoint("original"), alone, {
      recursive: true,
      filter: (path) => !/pytorch_model|config\.json$/.test(path) || /clip|tokenizer/.test(path),
    });
    using all = openCheckpoint(checkpoint("original"));
    const textOnly = [...all.names()].filter((name) => !/projector|tower/.test(name));
    writeSafetensors(
      join(alone, "model.safetensors"),
      new Map(textOnly.map((name) => [name, all.read(name)])),
    );
    using stored = reference(adapter("original"));
    using inputs = reference(checkpoint("original"));
    for (const base of [checkpoint("original"), alone]) {
      using loaded = await loadPretrained({ kind: "folder", path: adapter("original") }, { base });
      const { model } = loaded;
      inference(() => {
        const projected = model.project(inputs.read("vision_features"));
        assertClose(projected, stored.read("projected_features"), TOLERANCE, "projected features");
        const hidden = model.languageModel.forward(inputs.read("inputs_embeds"));
        assertClose(model.languageModel.logits(hidden), stored.read("logits"), TOLERANCE, "logits");
      });
    }
  });
});

describe("an adapter that cannot be used is refused by", () => {
  type Json = Record<string, unknown>;
  const spoilt = (name: string, edit: (config: Json, tensors: Map<string, Tensor>) => void): string => {
    const folder = join(scratch, name);
    cpSync(adapter("llava"), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Json;
    config["base_model_name_or_path"] = checkpoint("llama");
    using source = openSafetensors(join(adapter("llava"), "adapter_model.safetensors"));
    const tensors = new Map([...source.names()].map((each) => [each, source.read(each)]));
    edit(config, tensors);
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
    writeSafetensors(join(folder, "adapter_model.safetensors"), tensors);
    return folder;
  };
  const layer = "base_model.model.model.language_model.layers.1.self_attn.q_proj";
  const cases: Record<string, [(config: Json, tensors: Map<string, Tensor>) => void, string, RegExp]> = {
    "the base that is not there": [
      (config) => {
        config["base_model_name_or_path"] = "/nowhere/base";
      },
      "config",
      /holds an adapter of \/nowhere\/base/,
    ],
    "the base that it does not name": [
      (config) => void delete config["base_model_name_or_path"],
      "checkpoint",
      /names no base model/,
    ],
    "its rank": [
      (config) => {
        config["r"] = 8;
      },
      "checkpoint",
      /lora_A\.weight has rank 4; .* says 8/,
    ],
    "a layer that the base lacks": [
      (_, tensors) =>
        void tensors.set(`${layer.replace("1", "7")}.lora_A.weight`, tensors.values().next().value!),
      "checkpoint",
      /adapts language_model\.layers\.7\.self_attn\.q_proj, which the model lacks/,
    ],
    "a shape": [
      (_, tensors) =>
        void tensors.set(`${layer}.lora_A.weight`, tensors.get(`${layer}.lora_A.weight`)!.slice(1, 0, 8)),
      "checkpoint",
      /q_proj\.lora_A\.weight is \[4, 8\], expected \[4, 16\]/,
    ],
    "a missing half": [
      (_, tensors) => void tensors.delete(`${layer}.lora_B.weight`),
      "checkpoint",
      /1 missing: .*layers\.1\.self_attn\.q_proj\.lora_B\.weight/,
    ],
    "a tensor of no module": [
      (_, tensors) =>
        void tensors.set("base_model.model.model.resampler.weight", tensors.values().next().value!),
      "checkpoint",
      /1 not expected: resampler\.weight/,
    ],
    "its method": [
      (config) => {
        config["peft_type"] = "LOHA";
      },
      "config",
      /peft_type "LOHA"/,
    ],
    "an option": [
      (config) => {
        config["lora_bias"] = true;
      },
      "config",
      /lora_bias is true/,
    ],
    "a low-rank embedding": [
      (_, tensors) =>
        void tensors.set(
          "base_model.model.model.language_model.embed_tokens.lora_embedding_A",
          tensors.values().next().value!,
        ),
      "checkpoint",
      /embed_tokens\.lora_embedding_A adapts an embedding/,
    ],
    "lengths of rows that it lacks": [
      (config) => {
        config["use_dora"] = true;
      },
      "checkpoint",
      /14 missing: .*lora_magnitude_vector/,
    ],
    "a pattern that is none": [
      (config) => {
        config["rank_pattern"] = { "q_proj(": 4 };
      },
      "config",
      /rank_pattern: "q_proj\(" is no regular expression/,
    ],
    "a pattern of another rank": [
      (config) => {
        config["rank_pattern"] = { "layers.0.self_attn.q_proj": 2 };
      },
      "checkpoint",
      /layers\.0\.self_attn\.q_proj\.lora_A\.weight has rank 4; .* says 2/,
    ],
  };
  for (const [name, [edit, code, message]] of Object.entries(cases))
    test(name, async () => {
      const folder = spoilt(name, edit);
      await assert.rejects(loadPretrained({ kind: "folder", path: folder }), {
        name: "LlavaError",
        code,
        message,
      });
    });

  test("loadCheckpoint, which takes whole models", () =>
    assert.rejects(loadCheckpoint(adapter("llava")), {
      code: "checkpoint",
      message: /holds an adapter, no model/,
    }));
});
