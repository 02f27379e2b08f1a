import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contextLengthOf, LLAMA_TYPES, parseLlamaConfig } from "./config.ts";

const config = (message: RegExp) => ({ name: "LlavaError", code: "config", message });

describe("decoders", () => {
  const text = (json: { model_type?: keyof typeof LLAMA_TYPES; [field: string]: unknown }) =>
    parseLlamaConfig(json, "c.json", LLAMA_TYPES[json.model_type ?? "llama"]);

  test("rotary fields of every generation", () => {
    assert.equal(text({ rope_theta: 5e5 }).ropeTheta, 5e5);
    assert.equal(text({ rope_parameters: { rope_type: "default", rope_theta: 1e6 } }).ropeTheta, 1e6);
    assert.equal(text({ rope_parameters: { rope_type: "default", rope_theta: 1e6 } }).ropeScaling, undefined);
    assert.deepEqual(text({ rope_scaling: { type: "linear", factor: 2.5 } }).ropeScaling, {
      type: "linear",
      factor: 2.5,
    });
    const llama3 = {
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const expected = {
      type: "llama3",
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 8192,
    };
    assert.deepEqual(text({ rope_scaling: { rope_type: "llama3", ...llama3 } }).ropeScaling, expected);
    const plain = { rope_type: "default", rope_theta: 10_000 };
    const both = text({ rope_parameters: plain, rope_scaling: { rope_type: "llama3", ...llama3 } });
    assert.deepEqual(both.ropeScaling, expected);
    const parameters = { rope_type: "llama3", rope_theta: 5e5, ...llama3 };
    assert.deepEqual(text({ rope_parameters: parameters }).ropeScaling, expected);
    assert.throws(
      () => text({ rope_scaling: { type: "linear" } }),
      config(/rope scaling linear without factor/),
    );
    assert.throws(
      () => text({ rope_scaling: { type: "longrope", short_factor: [1], long_factor: [2] } }),
      config(/^c\.json: rope scaling "longrope"; known are default, linear, dynamic, llama3, yarn$/),
    );
  });

  test("YaRN makes the context longer; dynamic scaling begins where the context ends", () => {
    const yarn = text({
      max_position_embeddings: 32_768,
      rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 32_768 },
    });
    assert.equal(contextLengthOf(yarn), 131_072);
    const dynamic = text({ max_position_embeddings: 2048, rope_scaling: { type: "dynamic", factor: 2 } });
    assert.deepEqual([dynamic.ropeScaling, contextLengthOf(dynamic)], [undefined, 2048]);
  });

  test("Qwen3 and Gemma", () => {
    const qwen = text({
      model_type: "qwen3",
      hidden_size: 1024,
      num_attention_heads: 16,
      num_key_value_heads: 8,
    });
    assert.partialDeepStrictEqual(qwen, { headDim: 128, queryKeyNorm: true, attentionBias: false });
    const gemma = text({ model_type: "gemma", hidden_act: "gelu", hidden_activation: null });
    assert.partialDeepStrictEqual(gemma, {
      ...{ headDim: 256, scaledFromOne: true, hiddenAct: "gelu_tanh", tieWordEmbeddings: true },
    });
  });

  test("biases", () => {
    const biases = (json: Parameters<typeof text>[0]) => {
      const { attentionBias, outputBias, mlpBias } = text(json);
      return [attentionBias, outputBias, mlpBias];
    };
    assert.deepEqual(biases({ attention_bias: true, mlp_bias: true }), [true, true, true]);
    assert.deepEqual(biases({ model_type: "qwen2" }), [true, false, false]);
    assert.deepEqual(biases({ model_type: "mistral" }), [false, false, false]);
  });

  test("key and value heads, head size", () => {
    assert.equal(text({ num_attention_heads: 16, hidden_size: 256 }).numKeyValueHeads, 16);
    assert.equal(text({ model_type: "mistral" }).numKeyValueHeads, 8);
    assert.equal(text({ hidden_size: 256, num_attention_heads: 4, head_dim: 128 }).headDim, 128);
    assert.throws(
      () => text({ hidden_size: 100, num_attention_heads: 3 }),
      config(/hidden_size 100 over 3 heads/),
    );
    assert.throws(
      () => text({ hidden_size: 64, num_attention_heads: 4, num_key_value_heads: 3 }),
      config(/num_attention_heads 4 is not a multiple of num_key_value_heads 3/),
    );
  });

  test("a sliding window counts only where it is active", () => {
    assert.equal(text({ sliding_window: 128 }).slidingWindow, undefined);
    assert.equal(text({ model_type: "mistral", sliding_window: null }).slidingWindow, undefined);
    assert.equal(text({ model_type: "mistral", sliding_window: 128 }).slidingWindow, 128);
    assert.equal(text({ model_type: "mistral" }).slidingWindow, 4096);
    assert.equal(text({ model_type: "qwen2", sliding_window: 128 }).slidingWindow, undefined);
    assert.equal(
      text({ model_type: "qwen2", sliding_window: 128, use_sliding_window: true }).slidingWindow,
      128,
    );
  });
});
