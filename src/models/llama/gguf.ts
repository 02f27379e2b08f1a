import { type GgufDialect, type GgufHeader, type NamingRule, naming } from "../../checkpoint/index.ts";
import { LlavaError } from "../../errors.ts";
import type { RopeScaling } from "../../nn/index.ts";
import type { LlamaConfig } from "./config.ts";

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

/**
 * Heads in a query or key projection whose rows the "llama" architecture stores in rotary pairs (0, d/2, 1, d/2 + 1, …)
 * instead of halves; undefined for every other tensor and architecture.
 */
function pairedRotaryHeads(name: string, header: GgufHeader, where: string): number | undefined {
  const part = /^blk\.\d+\.attn_([qk])\.(?:weight|bias)$/.exec(name)?.[1];
  if (part === undefined || header.metadata.get("general.architecture") !== "llama") return undefined;
  const heads = header.metadata.get("llama.attention.head_count");
  const keyValueHeads = header.metadata.get("llama.attention.head_count_kv") ?? heads;
  const count = part === "q" ? heads : keyValueHeads;
  const rows = header.tensors.get(name)?.shape[0] ?? 0;
  if (typeof count === "number" && count > 0 && rows % (2 * count) === 0) return count;
  throw new LlavaError("checkpoint", `${where}: ${name} has ${rows} rows for ${String(count)} heads`);
}

/** What files of these architectures call tensors and how they lay them out. */
export const llamaDialect: GgufDialect = { names: ggufNames, pairedRotaryHeads };

/** The decoder that a GGUF file of architecture "llama" (Llama, Mistral, SmolLM …), "qwen2" or "qwen3" describes. */
export function llamaConfigFromGguf(header: GgufHeader, where: string): LlamaConfig {
  const { metadata, tensors } = header;
  const architecture = String(metadata.get("general.architecture"));
  const optional = (key: string): number | undefined => {
    const value = metadata.get(`${architecture}.${key}`);
    return typeof value === "number" && value > 0 ? value : undefined;
  };
  const required = (key: string): number => {
    const value = optional(key);
    if (value !== undefined) return value;
    const found = JSON.stringify(metadata.get(`${architecture}.${key}`));
    throw new LlavaError(
      "config",
      `${where}: ${architecture}.${key} is ${found}; expected a positive number`,
    );
  };

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
  header: GgufHeader,
  architecture: string,
  where: string,
): RopeScaling | undefined {
  const type = header.metadata.get(`${architecture}.rope.scaling.type`) ?? "none";
  const factor = header.metadata.get(`${architecture}.rope.scaling.factor`);
  if (header.tensors.has("rope_freqs.weight")) {
    throw new LlavaError(
      "config",
      `${where}: holds its own rotary factors (rope_freqs.weight), which are not read`,
      {
        hint: "Use the model's safetensors checkpoint, whose config.json says how its frequencies are scaled.",
      },
    );
  }
  if (type === "none") return undefined;
  if (type === "linear" && typeof factor === "number") return { type, factor };
  throw new LlavaError("config", `${where}: rope scaling ${String(type)}; known are none, linear`);
}

/** The shortest decimal that is this number in float32: 9.999999747378752e-06 was written as 1e-5. */
function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}
