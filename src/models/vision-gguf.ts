import { float32, type GgufHeader, type GgufValue, type NamingRule, naming } from "../checkpoint/index.ts";
import { positiveIn, shortestFloat32 } from "./gguf-values.ts";

/** GGUF's words for the vision transformers of CLIP's kind, which their families share. */

const inBlock = (stored: string, name: string): NamingRule => [
  `v.blk.#.${stored}.`,
  `encoder.layers.#.${name}.`,
];

/** `v.blk.3.attn_q.weight` ↔ `encoder.layers.3.self_attn.q_proj.weight` */
export const transformerNames = naming(
  ["v.class_embd", "embeddings.class_embedding", { rest: "$" }],
  ["v.patch_embd.", "embeddings.patch_embedding."],
  ["v.position_embd.", "embeddings.position_embedding."],
  ["v.pre_ln.", "pre_layrnorm."], // transformers' spelling
  inBlock("ln1", "layer_norm1"),
  inBlock("attn_q", "self_attn.q_proj"),
  inBlock("attn_k", "self_attn.k_proj"),
  inBlock("attn_v", "self_attn.v_proj"),
  inBlock("attn_out", "self_attn.out_proj"),
  inBlock("ln2", "layer_norm2"),
  inBlock("ffn_up", "mlp.fc1"),
  inBlock("ffn_down", "mlp.fc2"),
);

export interface TransformerSizes {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly layerNormEps: number;
}

export const describeTransformer = (
  sizes: TransformerSizes,
  { isQuick }: { isQuick: boolean },
): Map<string, GgufValue> =>
  new Map<string, GgufValue>([
    ["clip.vision.image_size", sizes.imageSize],
    ["clip.vision.patch_size", sizes.patchSize],
    ["clip.vision.embedding_length", sizes.hiddenSize],
    ["clip.vision.feed_forward_length", sizes.intermediateSize],
    ["clip.vision.attention.head_count", sizes.numHeads],
    ["clip.vision.attention.layer_norm_epsilon", float32(sizes.layerNormEps)],
    ["clip.use_gelu", !isQuick],
  ]);

/** @throws LlavaError "config" naming the key */
export function transformerFromGguf(header: GgufHeader, path: string) {
  const number = (key: string): number => positiveIn(header, `clip.vision.${key}`, path);
  return {
    imageSize: number("image_size"),
    patchSize: number("patch_size"),
    hiddenSize: number("embedding_length"),
    intermediateSize: number("feed_forward_length"),
    numHeads: number("attention.head_count"),
    layerNormEps: shortestFloat32(number("attention.layer_norm_epsilon")),
    numLayers: layersIn(header, path),
    isQuick: header.metadata.get("clip.use_gelu") !== true,
  };
}

/** Tensors of the tower that a file keeps, though they are not run, have this before their canonical names without `model`. */
export const UNUSED = "unused.";
const UNUSED_LAYER = /^unused\.vision_tower\.encoder\.layers\.(\d+)\./;

/** Layers that are run, and those that are only kept. */
function layersIn(header: GgufHeader, path: string): number {
  const run = positiveIn(header, "clip.vision.block_count", path);
  const kept = [...header.tensors.keys()].map((name) => Number(UNUSED_LAYER.exec(name)?.[1] ?? -1) + 1);
  return kept.reduce((most, count) => Math.max(most, count), run);
}
