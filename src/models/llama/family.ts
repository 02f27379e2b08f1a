import type { LanguageModelFamily, LanguageModelType } from "../family.ts";
import {
  contextLengthOf,
  LLAMA_FIELDS,
  LLAMA_TYPES,
  type LlamaConfig,
  type LlamaRules,
  llamaFields,
  parseLlamaConfig,
  trainedLengthOf,
} from "./config.ts";
import { describeLlama, llamaConfigFromGguf, llamaDialect, llamaFieldsFromGguf } from "./gguf.ts";
import { Llama } from "./model.ts";
import { PUBLISHED_LLAMAS } from "./published.ts";

const parser = (rules: LlamaRules) => (json: unknown, where: string) => parseLlamaConfig(json, where, rules);

/** Llama and what differs from it by numbers, biases and norms alone. */
export const llama: LanguageModelFamily = {
  name: "llama",
  types: {
    llama: {
      title: "Llama",
      original: { modelType: "llava_llama", architecture: "LlavaLlamaForCausalLM" },
      ggufArchitecture: "llama",
      parseConfig: parser(LLAMA_TYPES.llama),
    },
    mistral: {
      title: "Mistral",
      original: { modelType: "llava_mistral", architecture: "LlavaMistralForCausalLM" },
      template: "mistral_instruct",
      ggufArchitecture: "llama",
      parseConfig: parser(LLAMA_TYPES.mistral),
    },
    qwen2: {
      title: "Qwen2",
      original: { modelType: "llava_qwen", architecture: "LlavaQwenForCausalLM" },
      template: "qwen_1_5",
      ggufArchitecture: "qwen2",
      parseConfig: parser(LLAMA_TYPES.qwen2),
    },
    qwen3: {
      title: "Qwen3",
      original: { modelType: "llava_qwen3", architecture: "LlavaQwen3ForCausalLM" },
      template: "qwen_1_5",
      ggufArchitecture: "qwen3",
      parseConfig: parser(LLAMA_TYPES.qwen3),
    },
    gemma: {
      title: "Gemma",
      original: { modelType: "llava_gemma", architecture: "LlavaGemmaForCausalLM" },
      template: "gemma_instruct",
      parseConfig: parser(LLAMA_TYPES.gemma),
    },
  } satisfies Readonly<Record<keyof typeof LLAMA_TYPES, LanguageModelType>>,
  published: PUBLISHED_LLAMAS,
  fields: LLAMA_FIELDS,
  contextLength: contextLengthOf,
  trainedLength: trainedLengthOf,
  fieldsOf: llamaFields,
  build: (config: LlamaConfig) => new Llama(config),
  gguf: {
    architectures: ["llama", "qwen2", "qwen3"],
    dialect: llamaDialect,
    parseConfig: llamaConfigFromGguf,
    describe: describeLlama,
    fieldsOf: llamaFieldsFromGguf,
  },
};
