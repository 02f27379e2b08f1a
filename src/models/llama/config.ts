import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import type { RopeScaling } from "../../nn/index.ts";
import { coverFields, type FieldCoverage } from "../config-coverage.ts";
import { activation, checked, count, flag, positive, smallCount } from "../config-fields.ts";
import { LLAMA_NEUTRAL, ROPE_NEUTRAL } from "./neutral-fields.ts";

/** A decoder of the Llama kind: Llama, Vicuna, Mistral, Qwen and Gemma differ only in these numbers, biases and norms. */
export interface LlamaConfig {
  readonly family: "llama";
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
  /** Each head's query and key go through a norm of their own before they turn (Qwen3). */
  readonly queryKeyNorm?: true;
  /** Norms multiply by 1 + w, and the words' embeddings by √hidden (Gemma). */
  readonly scaledFromOne?: true;
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
    attention_factor: positive,
    beta_fast: positive,
    beta_slow: positive,
    mscale: positive,
    mscale_all_dim: positive,
    truncate: flag,
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

/** Of config.json. */
export const LLAMA_FIELDS: FieldCoverage = { read: Object.keys(fields.shape), neutral: LLAMA_NEUTRAL };

type Fields = z.infer<typeof fields>;

/** What a model type is told by beside its fields. Transformers writes only those that differ, so small files rely on it. */
export interface LlamaRules {
  readonly vocab: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly positions: number;
  /** Where the field is absent; as many as there are heads without it, or where the field is null. */
  readonly keyValueHeads?: number;
  /** Where the field is absent; a head's share of the width without it. */
  readonly headDim?: number;
  readonly tied?: true;
  /** What "gelu" means too, and an absent field: old files of the type say so where its tanh is meant. */
  readonly gelu?: "gelu_tanh";
  readonly queryKeyNorm?: true;
  readonly scaledFromOne?: true;
  /** "stated": as the fields say; "query-key-value": in those projections; "none". */
  readonly biases: "stated" | "query-key-value" | "none";
  /** "stated": as `sliding_window` says, null for none; "switched": where `use_sliding_window` is true too; "none". */
  readonly window: "stated" | "switched" | "none";
}

export const LLAMA_TYPES = {
  llama: {
    ...{ vocab: 32_000, hidden: 4096, intermediate: 11_008, layers: 32, heads: 32, positions: 2048 },
    ...{ biases: "stated", window: "none" },
  },
  mistral: {
    ...{ vocab: 32_000, hidden: 4096, intermediate: 14_336, layers: 32, heads: 32, positions: 131_072 },
    ...{ keyValueHeads: 8, biases: "none", window: "stated" },
  },
  qwen2: {
    ...{ vocab: 151_936, hidden: 4096, intermediate: 22_016, layers: 32, heads: 32, positions: 32_768 },
    ...{ keyValueHeads: 32, biases: "query-key-value", window: "switched" },
  },
  qwen3: {
    ...{ vocab: 151_936, hidden: 4096, intermediate: 22_016, layers: 32, heads: 32, positions: 32_768 },
    ...{ keyValueHeads: 32, headDim: 128, queryKeyNorm: true, biases: "stated", window: "switched" },
  },
  gemma: {
    ...{ vocab: 256_000, hidden: 3072, intermediate: 24_576, layers: 28, heads: 16, positions: 8192 },
    ...{ keyValueHeads: 16, headDim: 256, tied: true, gelu: "gelu_tanh", scaledFromOne: true },
    ...{ biases: "stated", window: "none" },
  },
} as const satisfies Readonly<Record<string, LlamaRules>>;

const DEFAULT_WINDOW = 4096;
const DEFAULT_ROPE_THETA = 10_000;
const DEFAULT_RMS_NORM_EPS = 1e-6;

/** What a `config.json`, or the `text_config` inside one, says of a decoder. @throws LlavaError "config" naming the field */
export function parseLlamaConfig(json: unknown, where: string, rules: LlamaRules): LlamaConfig {
  coverFields(json as JsonObject, { ...LLAMA_FIELDS, where });
  const config = checked(fields, json, where);
  const hiddenSize = config.hidden_size ?? rules.hidden;
  const numHeads = config.num_attention_heads ?? rules.heads;
  const numKeyValueHeads = config.num_key_value_heads ?? keyValueHeads(rules, config, numHeads);
  const headDim = config.head_dim ?? rules.headDim ?? hiddenSize / numHeads;
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
  const ropeScaling = parseRopeScaling(config, rules, where);
  const slidingWindow = activeWindow(rules, config);
  const stated = rules.biases === "stated";
  const outputBias = stated && (config.attention_bias ?? false);
  return {
    family: "llama",
    vocabSize: config.vocab_size ?? rules.vocab,
    hiddenSize,
    intermediateSize: config.intermediate_size ?? rules.intermediate,
    numLayers: config.num_hidden_layers ?? rules.layers,
    numHeads,
    numKeyValueHeads,
    headDim,
    hiddenAct: hiddenAct(rules, config, where),
    rmsNormEps: config.rms_norm_eps ?? DEFAULT_RMS_NORM_EPS,
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? DEFAULT_ROPE_THETA,
    ...(ropeScaling && { ropeScaling }),
    maxPositionEmbeddings: config.max_position_embeddings ?? rules.positions,
    tieWordEmbeddings: config.tie_word_embeddings ?? rules.tied ?? false,
    attentionBias: rules.biases === "query-key-value" || outputBias,
    outputBias,
    mlpBias: stated && (config.mlp_bias ?? false),
    ...(slidingWindow !== undefined && { slidingWindow }),
    ...(rules.queryKeyNorm && { queryKeyNorm: true }),
    ...(rules.scaledFromOne && { scaledFromOne: true }),
  };
}

/**
 * Most positions that a sequence may have. `maxPositionEmbeddings` counts them before linear scaling and YaRN's, as vLLM and
 * the original LLaVA's training read it, and after that of Llama 3, whose files give the number before beside it.
 */
export function contextLengthOf({ maxPositionEmbeddings, ropeScaling }: LlamaConfig): number {
  if (ropeScaling?.type !== "linear" && ropeScaling?.type !== "yarn") return maxPositionEmbeddings;
  const { factor, originalMaxPositionEmbeddings: original = maxPositionEmbeddings } = ropeScaling;
  return Math.max(maxPositionEmbeddings, Math.floor(original * factor));
}

/** Most positions before a linear factor divides them: what another factor counts from. */
export const trainedLengthOf = (config: LlamaConfig): number =>
  config.ropeScaling?.type === "linear"
    ? (config.ropeScaling.originalMaxPositionEmbeddings ?? config.maxPositionEmbeddings)
    : contextLengthOf(config);

/** The sizes of config.json. Biases, windows and rope scaling have none of their own: a file states them, or its type. */
export const llamaFields = (config: LlamaConfig): JsonObject => ({
  vocab_size: config.vocabSize,
  hidden_size: config.hiddenSize,
  intermediate_size: config.intermediateSize,
  num_hidden_layers: config.numLayers,
  num_attention_heads: config.numHeads,
  num_key_value_heads: config.numKeyValueHeads,
  hidden_act: config.hiddenAct === "gelu_tanh" ? "gelu_pytorch_tanh" : config.hiddenAct,
  rms_norm_eps: config.rmsNormEps,
  rope_theta: config.ropeTheta,
  max_position_embeddings: config.maxPositionEmbeddings,
});

function hiddenAct({ gelu }: LlamaRules, stated: Fields, where: string): LlamaConfig["hiddenAct"] {
  const act = activation(
    stated.hidden_act ?? (gelu === undefined ? "silu" : "gelu"),
    ["silu", "gelu", "gelu_tanh"],
    where,
  );
  return act === "gelu" ? (gelu ?? act) : act;
}

const keyValueHeads = ({ keyValueHeads }: LlamaRules, stated: Fields, heads: number): number =>
  stated.num_key_value_heads === null ? heads : (keyValueHeads ?? heads);

function activeWindow({ window }: LlamaRules, stated: Fields): number | undefined {
  if (window === "none" || stated.sliding_window === null) return undefined;
  if (window === "switched" && !stated.use_sliding_window) return undefined;
  return stated.sliding_window ?? DEFAULT_WINDOW;
}

/** By how much YaRN makes attention sharper for a factor, unless it is told. */
export const yarnSharpness = (factor: number, scale = 1): number =>
  factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;

function parseRopeScaling(config: Fields, rules: LlamaRules, where: string): RopeScaling | undefined {
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
  if (type === "yarn") {
    const factor = required("factor");
    const { mscale, mscale_all_dim: all } = parameters;
    return {
      type,
      factor,
      originalMaxPositionEmbeddings:
        parameters.original_max_position_embeddings ?? config.max_position_embeddings ?? rules.positions,
      betaFast: parameters.beta_fast ?? 32,
      betaSlow: parameters.beta_slow ?? 1,
      truncate: parameters.truncate ?? true,
      attentionFactor:
        parameters.attention_factor ??
        (mscale && all ? yarnSharpness(factor, mscale) / yarnSharpness(factor, all) : yarnSharpness(factor)),
    };
  }
  // It scales only beyond max_position_embeddings, where the context ends here (`contextLengthOf`).
  if (type === "dynamic") return undefined;
  throw new LlavaError(
    "config",
    `${where}: rope scaling "${type}"; known are default, linear, dynamic, llama3, yarn`,
    { hint: "A checkpoint with this scaling is not read yet." },
  );
}
