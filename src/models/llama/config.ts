import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import type { RopeScaling } from "../../nn/index.ts";
import { coverFields, ROPE_NEUTRAL, TEXT_NEUTRAL } from "../config-coverage.ts";
import { activation, checked, count, flag, positive, smallCount } from "../config-fields.ts";

/** A decoder of the Llama kind: Llama, Vicuna, Mistral and Qwen2 differ only in these numbers and biases. */
export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly hiddenAct: "silu" | "gelu" | "gelu_tanh";
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
  /** As the file says; see `contextLengthOf`. */
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Bias of the query, key and value projections (Qwen2; Llama with attention_bias). */
  readonly attentionBias: boolean;
  /** Bias of the attention's output projection (Llama with attention_bias). */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Tokens a query sees back at most; undefined = all. No mask is needed for sequences up to it. */
  readonly slidingWindow?: number;
}

/** Transformers' rotary fields: `rope_parameters` since version 5, `rope_scaling` and `rope_theta` before. */
const rope = z
  .looseObject({
    rope_theta: positive,
    rope_type: z.string().nullish(),
    type: z.string().nullish(),
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: count,
  })
  .nullish();

const fields = z.object({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: smallCount,
  num_attention_heads: smallCount,
  num_key_value_heads: smallCount,
  head_dim: smallCount,
  hidden_act: z.string().nullish(),
  rms_norm_eps: positive,
  rope_theta: positive,
  rope_parameters: rope,
  rope_scaling: rope,
  max_position_embeddings: count,
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  sliding_window: count,
  use_sliding_window: flag,
});

export const TEXT_FIELDS: readonly string[] = Object.keys(fields.shape);

type Fields = z.infer<typeof fields>;

/**
 * What transformers takes for absent fields. It writes only those that differ, so small files rely on this table.
 * `sliding_window` null switches the window off; absent means Mistral's default.
 */
const DEFAULTS = {
  llama: { vocab: 32_000, hidden: 4096, intermediate: 11_008, layers: 32, heads: 32, positions: 2048 },
  mistral: { vocab: 32_000, hidden: 4096, intermediate: 14_336, layers: 32, heads: 32, positions: 131_072 },
  qwen2: { vocab: 151_936, hidden: 4096, intermediate: 22_016, layers: 32, heads: 32, positions: 32_768 },
} as const;

const MISTRAL_KEY_VALUE_HEADS = 8;
const QWEN2_KEY_VALUE_HEADS = 32;
const DEFAULT_WINDOW = 4096;
const DEFAULT_ROPE_THETA = 10_000;
const DEFAULT_RMS_NORM_EPS = 1e-6;

export type TextModelType = keyof typeof DEFAULTS;
export const TEXT_MODEL_TYPES = Object.keys(DEFAULTS) as TextModelType[];

/**
 * The decoder described by a `config.json` of model type llama, mistral or qwen2, or by the `text_config` inside one.
 * Throws LlavaError("config") naming the field.
 */
export function parseTextConfig(json: unknown, where: string, type: string = modelType(json)): LlamaConfig {
  if (!isTextModelType(type)) {
    throw new LlavaError(
      "config",
      `${where}: language model type "${type}"; known are ${TEXT_MODEL_TYPES.join(", ")}`,
      { hint: "Checkpoints around other language models are not read yet." },
    );
  }
  coverFields(json as JsonObject, { read: TEXT_FIELDS, neutral: TEXT_NEUTRAL, where });
  const config = checked(fields, json, where);
  const defaults = DEFAULTS[type];
  const hiddenSize = config.hidden_size ?? defaults.hidden;
  const numHeads = config.num_attention_heads ?? defaults.heads;
  const numKeyValueHeads = config.num_key_value_heads ?? keyValueHeads(type, config, numHeads);
  const headDim = config.head_dim ?? hiddenSize / numHeads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw new LlavaError(
      "config",
      `${where}: hidden_size ${hiddenSize} over ${numHeads} heads leaves no even head size`,
    );
  }
  if (numHeads % numKeyValueHeads !== 0) {
    throw new LlavaError(
      "config",
      `${where}: num_attention_heads ${numHeads} is not a multiple of num_key_value_heads ${numKeyValueHeads}`,
    );
  }
  const ropeScaling = parseRopeScaling(config, where);
  const slidingWindow = activeWindow(type, config);
  const llamaBias = type === "llama" && (config.attention_bias ?? false);
  return {
    vocabSize: config.vocab_size ?? defaults.vocab,
    hiddenSize,
    intermediateSize: config.intermediate_size ?? defaults.intermediate,
    numLayers: config.num_hidden_layers ?? defaults.layers,
    numHeads,
    numKeyValueHeads,
    headDim,
    hiddenAct: activation(config.hidden_act ?? "silu", ["silu", "gelu", "gelu_tanh"], where),
    rmsNormEps: config.rms_norm_eps ?? DEFAULT_RMS_NORM_EPS,
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? DEFAULT_ROPE_THETA,
    ...(ropeScaling && { ropeScaling }),
    maxPositionEmbeddings: config.max_position_embeddings ?? defaults.positions,
    tieWordEmbeddings: config.tie_word_embeddings ?? false,
    attentionBias: type === "qwen2" || llamaBias,
    outputBias: llamaBias,
    mlpBias: type === "llama" && (config.mlp_bias ?? false),
    ...(slidingWindow !== undefined && { slidingWindow }),
  };
}

/**
 * Most positions that a sequence may have. `maxPositionEmbeddings` counts them before linear scaling, as vLLM and the
 * original LLaVA's training read it, and after that of Llama 3, whose files give the number before beside it.
 */
export function contextLengthOf({ maxPositionEmbeddings, ropeScaling }: LlamaConfig): number {
  if (ropeScaling?.type !== "linear") return maxPositionEmbeddings;
  const { factor, originalMaxPositionEmbeddings: original = maxPositionEmbeddings } = ropeScaling;
  return Math.max(maxPositionEmbeddings, Math.floor(original * factor));
}

const modelType = (json: unknown): string =>
  String((json as { model_type?: unknown } | null)?.model_type ?? "llama");
const isTextModelType = (type: string): type is TextModelType => Object.hasOwn(DEFAULTS, type);

function keyValueHeads(type: TextModelType, config: Fields, numHeads: number): number {
  if (config.num_key_value_heads === null || type === "llama") return numHeads;
  return type === "mistral" ? MISTRAL_KEY_VALUE_HEADS : QWEN2_KEY_VALUE_HEADS;
}

function activeWindow(type: TextModelType, config: Fields): number | undefined {
  if (type === "llama" || config.sliding_window === null) return undefined;
  if (type === "qwen2" && !config.use_sliding_window) return undefined;
  return config.sliding_window ?? DEFAULT_WINDOW;
}

function parseRopeScaling(config: Fields, where: string): RopeScaling | undefined {
  const parameters = config.rope_scaling ?? config.rope_parameters; // where both are there, as transformers has it
  const type = parameters?.rope_type ?? parameters?.type ?? "default";
  if (parameters)
    coverFields(parameters, { read: [], neutral: ROPE_NEUTRAL, where: `${where}, rope scaling` });
  if (!parameters || type === "default") return undefined;
  const required = (
    name: "factor" | "low_freq_factor" | "high_freq_factor" | "original_max_position_embeddings",
  ) => {
    const value = parameters[name];
    if (typeof value === "number") return value;
    throw new LlavaError("config", `${where}: rope scaling ${type} without ${name}`);
  };
  if (type === "linear") {
    const original = parameters.original_max_position_embeddings ?? undefined;
    return {
      type,
      factor: required("factor"),
      ...(original !== undefined && { originalMaxPositionEmbeddings: original }),
    };
  }
  if (type === "llama3") {
    return {
      type,
      factor: required("factor"),
      lowFreqFactor: required("low_freq_factor"),
      highFreqFactor: required("high_freq_factor"),
      originalMaxPositionEmbeddings: required("original_max_position_embeddings"),
    };
  }
  throw new LlavaError("config", `${where}: rope scaling "${type}"; known are default, linear, llama3`, {
    hint: "A checkpoint with this scaling is not read yet.",
  });
}
