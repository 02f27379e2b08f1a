import fc from "fast-check";
import type { HubFiles as Files } from "./hub.ts";

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
export const weights = (name: string): Buffer => Buffer.from(`weights of ${name} `.repeat(40));

export const named = (...names: string[]): Files =>
  Object.fromEntries(names.map((name) => [name, weights(name)]));
export const config = { "config.json": json({ model_type: "llava" }) };
const shards = (stem: string, suffix: string): Files => {
  const names = [1, 2].map((at) => `${stem}-0000${at}-of-00002${suffix}`);
  const index = json({ weight_map: { a: names[0], b: names[1], c: names[0] } });
  return { ...named(...names), [`${stem}${suffix}.index.json`]: index };
};

/** What is needed of each kind of repository, by what the loader reads. No two files have the same content: it names them. */
export const kinds: Record<string, Files> = {
  safetensors: { ...config, ...named("model.safetensors") },
  shards: { ...config, ...shards("model", ".safetensors") },
  bin: { ...config, ...named("pytorch_model.bin") },
  binShards: { ...config, ...shards("pytorch_model", ".bin") },
  stage1: { ...config, ...named("mm_projector.bin") },
  gguf: { ...config, ...named("model-Q4_1.gguf") },
  adapter: { "adapter_config.json": json({}), ...named("adapter_model.safetensors") },
  adapterBin: { "adapter_config.json": json({}), ...named("adapter_model.bin") },
  llavaAdapter: {
    ...config,
    "adapter_config.json": json({}),
    ...named("adapter_model.safetensors", "non_lora_trainables.bin"),
  },
  towerInside: {
    "config.json": json({ model_type: "llava_llama", mm_vision_tower: "/home/someone/tower" }),
    ...named("model.safetensors", "tower/model.safetensors"),
    "tower/config.json": json({ tower: 1 }),
  },
};
/** Small files that belong to any of them. */
const descriptions: Files = {
  "tokenizer.json": json({ tokenizer: 1 }),
  "tokenizer.model": Buffer.from("pieces"),
  "tokenizer_config.json": json({ a: 1 }),
  "special_tokens_map.json": json({ b: 1 }),
  "generation_config.json": json({ c: 1 }),
  "preprocessor_config.json": json({ d: 1 }),
  "chat_template.jinja": Buffer.from("{{ messages }}"),
};
/** What repositories hold besides. Some has suffixes of weights. */
const noise = named(
  "README.md",
  "consolidated.safetensors",
  "model.fp16.safetensors",
  "training_args.bin",
  "optimizer.bin",
  "onnx/model.safetensors",
  "checkpoint-100/config.json",
  "trainer_state.json",
  "model.safetensors.bak",
);

/** By names, so that a counterexample can be read. */
export const repositories = fc.record({
  kind: fc.constantFrom(...Object.keys(kinds)),
  described: fc.subarray(Object.keys(descriptions)),
  besides: fc.subarray(Object.keys(noise)),
});
type Repository = typeof repositories extends fc.Arbitrary<infer Value> ? Value : never;

export const neededOf = ({ kind, described }: Repository): Files => ({
  ...kinds[kind]!,
  ...pick(descriptions, described),
});
export const allOf = (repository: Repository): Files => ({
  ...neededOf(repository),
  ...pick(noise, repository.besides),
});

export const pick = (files: Files, names: readonly string[]): Files =>
  Object.fromEntries(names.map((name) => [name, files[name]!]));
