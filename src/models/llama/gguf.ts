import {
  float32,
  type GgufDialect,
  type GgufHeader,
  type GgufValue,
  type NamingRule,
  naming,
  readGgufVector,
} from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import { type RopeScaling, rotaryFactors } from "../../nn/index.ts";
import type { GgufDescription } from "../family.ts";
import { positiveIn, shortestFloat32 } from "../gguf-values.ts";
import { contextLengthOf, type LlamaConfig, llamaFields, yarnSharpness } from "./config.ts";

const KINDS = { rest: "(?:weight|bias)$" };
const inBlock = (stored: string, name: string): NamingRule => [
  `blk.#.${stored}.`,
  `model.layers.#.${name}.`,
  KINDS,
];

/** `blk.3.attn_q.weight` ↔ `model.layers.3.self_attn.q_proj.weight` */
export const ggufNames = naming(
  ["token_embd.", "model.embed_tokens.", KINDS],
  inBlock("attn_norm", "input_layernorm"),
  inBlock("attn_q", "self_attn.q_proj"),
  inBlock("attn_k", "self_attn.k_proj"),
  inBlock("attn_v", "self_attn.v_proj"),
  inBlock("attn_q_norm", "self_attn.q_norm"),
  inBlock("attn_k_norm", "self_attn.k_norm"),
  inBlock("attn_output", "self_attn.o_proj"),
  inBlock("ffn_norm", "post_attention_layernorm"),
  inBlock("ffn_gate", "mlp.gate_proj"),
  inBlock("ffn_up", "mlp.up_proj"),
  inBlock("ffn_down", "mlp.down_proj"),
  ["output_norm.", "model.norm.", KINDS],
  ["output.", "lm_head.", KINDS],
);

/** Divide the rotary frequencies, in files of models whose scaling the format has no words for. */
const ROPE_FACTORS = "rope_freqs.weight";

/**
 * Heads in a query or key projection whose rows the "llama" architecture stores in rotary pairs (0, d/2, 1, d/2 + 1, …)
 * instead of halves; undefined for every other tensor and architecture.
 */
function pairedRotaryHeads(
  name: string,
  { metadata, rows, where }: Parameters<NonNullable<GgufDialect["pairedRotaryHeads"]>>[1],
): number | undefined {
  const part = /^blk\.\d+\.attn_([qk])\.(?:weight|bias)$/.exec(name)?.[1];
  if (part === undefined || metadata.get("general.architecture") !== "llama") return undefined;
  const heads = metadata.get("llama.attention.head_count");
  const keyValueHeads = metadata.get("llama.attention.head_count_kv") ?? heads;
  const count = part === "q" ? heads : keyValueHeads;
  if (typeof count === "number" && count > 0 && rows % (2 * count) === 0) return count;
  throw new LlavaError("checkpoint", `${where}: ${name} has ${rows} rows for ${String(count)} heads`);
}

/** What files of these architectures call tensors and how they lay them out. */
export const llamaDialect: GgufDialect = {
  names: ggufNames,
  pairedRotaryHeads,
  isSetting: (name) => name === ROPE_FACTORS,
};

/**
 * What a file says of a decoder. Every key that readers have a silent default for is written.
 * @throws LlavaError "usage" for what the architecture does not compute
 */
export function describeLlama(config: LlamaConfig, architecture: string): GgufDescription {
  const { headDim, hiddenAct, ropeScaling, ropeTheta, slidingWindow } = config;
  if (hiddenAct !== "silu")
    throw new LlavaError("usage", `a GGUF file cannot hold a decoder with ${hiddenAct} (hidden_act)`, {
      hint: `Readers compute the architecture ${architecture} with silu.`,
    });
  const scaling = ropeScaling && scalingWords(ropeScaling, config);
  const values: Readonly<Record<string, GgufValue>> = {
    block_count: config.numLayers,
    context_length: contextLengthOf(config),
    embedding_length: config.hiddenSize,
    feed_forward_length: config.intermediateSize,
    "attention.head_count": config.numHeads,
    "attention.head_count_kv": config.numKeyValueHeads,
    "attention.key_length": headDim,
    "attention.value_length": headDim,
    "attention.layer_norm_rms_epsilon": float32(config.rmsNormEps),
    ...(slidingWindow !== undefined && { "attention.sliding_window": slidingWindow }),
    "rope.freq_base": float32(ropeTheta),
    "rope.dimension_count": headDim,
    ...Object.fromEntries(
      Object.entries(scaling ?? {}).map(([key, value]) => [`rope.scaling.${key}`, value]),
    ),
    vocab_size: config.vocabSize,
  };
  const vectors: Readonly<Record<string, readonly number[]>> =
    ropeScaling === undefined || scaling
      ? {}
      : { [ROPE_FACTORS]: rotaryFactors(headDim, ropeTheta, ropeScaling) };
  return {
    metadata: new Map(Object.entries(values).map(([key, value]) => [`${architecture}.${key}`, value])),
    vectors: new Map(Object.entries(vectors)),
  };
}

/** What a file says of a scaling; of one that the format has no words for the factors themselves are stored. */
function scalingWords(
  scaling: RopeScaling,
  { maxPositionEmbeddings }: LlamaConfig,
): Readonly<Record<string, GgufValue>> | undefined {
  if (scaling.type !== "linear" && scaling.type !== "yarn") return undefined;
  const { type, factor, originalMaxPositionEmbeddings = maxPositionEmbeddings } = scaling;
  const words = {
    type,
    factor: float32(factor),
    original_context_length: originalMaxPositionEmbeddings,
  };
  if (scaling.type === "linear") return words;
  if (!scaling.truncate)
    throw new LlavaError(
      "usage",
      "a GGUF file cannot hold rope scaling yarn without truncate (rope_scaling)",
      {
        hint: "Readers of the format round where the ramp begins and ends.",
      },
    );
  return {
    ...words,
    yarn_beta_fast: float32(scaling.betaFast),
    yarn_beta_slow: float32(scaling.betaSlow),
    // Over what readers take for the factor's own sharpness.
    attn_factor: float32(scaling.attentionFactor / yarnSharpness(factor)),
  };
}

/** The decoder that a GGUF file of architecture "llama" (Llama, Mistral, SmolLM …), "qwen2" or "qwen3" describes. */
export function llamaConfigFromGguf(header: GgufHeader, where: string): LlamaConfig {
  const { metadata, tensors } = header;
  const architecture = String(metadata.get("general.architecture"));
  const optional = (key: string): number | undefined => {
    const value = metadata.get(`${architecture}.${key}`);
    return typeof value === "number" && value > 0 ? value : undefined;
  };
  const required = (key: string): number => positiveIn(header, `${architecture}.${key}`, where);

  const hiddenSize = required("embedding_length");
  const numHeads = required("attention.head_count");
  const slidingWindow = optional("attention.sliding_window");
  const ropeScaling = ropeScalingFromGguf(header, architecture, where);
  return {
    family: "llama",
    vocabSize: tensors.get("token_embd.weight")?.shape[0] ?? required("vocab_size"),
    hiddenSize,
    intermediateSize: required("feed_forward_length"),
    numLayers: required("block_count"),
    numHeads,
    numKeyValueHeads: optional("attention.head_count_kv") ?? numHeads,
    headDim: optional("attention.key_length") ?? hiddenSize / numHeads,
    hiddenAct: "silu",
    rmsNormEps: shortestFloat32(required("attention.layer_norm_rms_epsilon")),
    ropeTheta: optional("rope.freq_base") ?? 10_000,
    ...(ropeScaling && { ropeScaling }),
    maxPositionEmbeddings: required("context_length"),
    tieWordEmbeddings: !tensors.has("output.weight"),
    attentionBias: tensors.has("blk.0.attn_q.bias"),
    outputBias: tensors.has("blk.0.attn_output.bias"),
    mlpBias: tensors.has("blk.0.ffn_up.bias"),
    ...(slidingWindow !== undefined && { slidingWindow }),
    ...(tensors.has("blk.0.attn_q_norm.weight") && { queryKeyNorm: true }),
  };
}

function ropeScalingFromGguf(
  { metadata, tensors }: GgufHeader,
  architecture: string,
  where: string,
): RopeScaling | undefined {
  const own = tensors.get(ROPE_FACTORS);
  if (own !== undefined) return { type: "factors", factors: readGgufVector(where, own) };
  const said = (key: string) => metadata.get(`${architecture}.rope.scaling.${key}`);
  const numberOf = (key: string, otherwise: number): number => {
    const value = said(key);
    return typeof value === "number" ? shortestFloat32(value) : otherwise;
  };
  const [type = "none", factor, original] = ["type", "factor", "original_context_length"].map(said);
  if (type === "none") return undefined;
  if (type === "linear" && typeof factor === "number")
    return { type, factor, ...(typeof original === "number" && { originalMaxPositionEmbeddings: original }) };
  if (type === "yarn" && typeof factor === "number" && typeof original === "number")
    return {
      ...{ type, factor, originalMaxPositionEmbeddings: original, truncate: true },
      betaFast: numberOf("yarn_beta_fast", 32),
      betaSlow: numberOf("yarn_beta_slow", 1),
      attentionFactor: numberOf("attn_factor", 1) * yarnSharpness(factor),
    };
  throw new LlavaError("config", `${where}: rope scaling ${String(type)}; known are none, linear, yarn`);
}

/** config.json of a decoder of which only a GGUF file tells. @throws LlavaError "config" for rotary factors of no known kind */
export function llamaFieldsFromGguf(config: LlamaConfig, architecture: string): JsonObject {
  const { ropeScaling, slidingWindow } = config;
  return {
    model_type: architecture,
    ...llamaFields(config),
    head_dim: config.headDim,
    tie_word_embeddings: config.tieWordEmbeddings,
    ...(architecture === "llama" && { attention_bias: config.outputBias, mlp_bias: config.mlpBias }),
    ...(ropeScaling && { rope_scaling: scalingFields(ropeScaling, config) }),
    ...(slidingWindow !== undefined && { sliding_window: slidingWindow, use_sliding_window: true }),
  };
}

/** Those of Llama 3.1 and 3.2: the rest of their settings is the same. */
const LLAMA_3_FACTORS = [8, 32];

function scalingFields(scaling: RopeScaling, { headDim, ropeTheta }: LlamaConfig): JsonObject {
  if (scaling.type === "linear")
    return {
      rope_type: "linear",
      type: "linear",
      factor: scaling.factor,
      original_max_position_embeddings: scaling.originalMaxPositionEmbeddings ?? null,
    };
  if (scaling.type === "yarn")
    return {
      ...{ rope_type: "yarn", type: "yarn", factor: scaling.factor },
      original_max_position_embeddings: scaling.originalMaxPositionEmbeddings,
      ...{ beta_fast: scaling.betaFast, beta_slow: scaling.betaSlow },
      attention_factor: scaling.attentionFactor,
    };
  const stated = scaling.type === "factors" ? scaling.factors : rotaryFactors(headDim, ropeTheta, scaling);
  for (const factor of LLAMA_3_FACTORS) {
    const known = {
      type: "llama3",
      factor,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 8192,
    } as const;
    const factors = rotaryFactors(headDim, ropeTheta, known);
    if (factors.some((value, i) => Math.abs(value / stated[i]! - 1) > 1e-5)) continue;
    return {
      rope_type: "llama3",
      factor,
      low_freq_factor: known.lowFreqFactor,
      high_freq_factor: known.highFreqFactor,
      original_max_position_embeddings: known.originalMaxPositionEmbeddings,
    };
  }
  throw new LlavaError("config", `the rotary factors (${ROPE_FACTORS}) are not those of Llama 3.1 or 3.2`, {
    hint: "config.json has no words for others; the model can be used as the GGUF file that it is.",
  });
}
