import { float32, type GgufHeader, type GgufValue, type NamingRule, naming } from "../checkpoint/index.ts";
import { eyeKey, positiveIn, shortestFloat32 } from "./gguf-values.ts";

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
    [eyeKey("vision.image_size"), sizes.imageSize],
    [eyeKey("vision.patch_size"), sizes.patchSize],
    [eyeKey("vision.embedding_length"), sizes.hiddenSize],
    [eyeKey("vision.feed_forward_length"), sizes.intermediateSize],
    [eyeKey("vision.attention.head_count"), sizes.numHeads],
    [eyeKey("vision.attention.layer_norm_epsilon"), float32(sizes.layerNormEps)],
    [eyeKey("use_gelu"), !isQuick],
  ]);

/** @throws LlavaError "config" naming the key */
export function transformerFromGguf(header: GgufHeader, path: string) {
  const number = (key: string): number => positiveIn(header, eyeKey(`vision.${key}`), path);
  return {
    imageSize: number("image_size"),
    patchSize: number("patch_size"),
    hiddenSize: number("embedding_length"),
    intermediateSize: number("feed_forward_length"),
    numHeads: number("attention.head_count"),
    layerNormEps: shortestFloat32(number("attention.layer_norm_epsilon")),
    numLayers: layersIn(header, path),
    isQuick: header.metadata.get(eyeKey("use_gelu")) !== true,
  };
}

/** Of this project: the layers of the whole tower, of which the file has those that are run. */
export const WHOLE_LAYERS = "llava.vision.layer_count";

function layersIn(header: GgufHeader, path: string): number {
  const run = positiveIn(header, eyeKey("vision.block_count"), path);
  const whole = header.metadata.get(WHOLE_LAYERS);
  return typeof whole === "number" && whole > run ? whole : run;
}
