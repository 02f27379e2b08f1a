import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import { coverFields, type FieldCoverage } from "../config-coverage.ts";
import { activation, checked, count, positive, smallCount } from "../config-fields.ts";
import type { VisionConfig } from "../vision-tower.ts";

/** Pre-norm blocks over the patches of a square image: what CLIP's and SigLIP's towers have in common. */
export interface VisionTransformerConfig extends VisionConfig {
  readonly numHeads: number;
  readonly numChannels: number;
  readonly layerNormEps: number;
  readonly hiddenAct: "quick_gelu" | "gelu" | "gelu_tanh";
}

const fields = z.object({
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: smallCount,
  num_attention_heads: smallCount,
  num_channels: z.literal(3).nullish(), // images come as RGB
  image_size: smallCount,
  patch_size: smallCount,
  hidden_act: z.string().nullish(),
  layer_norm_eps: positive,
});

/** Those of config.json that are read. */
export const VISION_TRANSFORMER_FIELDS: readonly string[] = Object.keys(fields.shape);

/**
 * What a `config.json` says of such a tower; what it leaves out is `base`'s.
 * @throws LlavaError "config" naming the field
 */
export function parseVisionTransformer<Config extends VisionTransformerConfig>(
  json: unknown,
  where: string,
  { base, coverage }: { readonly base: Config; readonly coverage: FieldCoverage },
): Config {
  coverFields(json as JsonObject, { ...coverage, where });
  const config = checked(fields, json, where);
  const vision: Config = {
    ...base,
    hiddenSize: config.hidden_size ?? base.hiddenSize,
    intermediateSize: config.intermediate_size ?? base.intermediateSize,
    numLayers: config.num_hidden_layers ?? base.numLayers,
    numHeads: config.num_attention_heads ?? base.numHeads,
    imageSize: config.image_size ?? base.imageSize,
    patchSize: config.patch_size ?? base.patchSize,
    numChannels: config.num_channels ?? base.numChannels,
    layerNormEps: config.layer_norm_eps ?? base.layerNormEps,
    hiddenAct: config.hidden_act
      ? activation(config.hidden_act, ["quick_gelu", "gelu", "gelu_tanh"], where)
      : base.hiddenAct,
  };
  if (vision.hiddenSize % vision.numHeads !== 0) {
    throw new LlavaError(
      "config",
      `${where}: hidden_size ${vision.hiddenSize} does not divide over ${vision.numHeads} heads`,
    );
  }
  if (vision.patchSize > vision.imageSize) {
    throw new LlavaError(
      "config",
      `${where}: patch_size ${vision.patchSize} is larger than image_size ${vision.imageSize}`,
    );
  }
  return vision;
}

/** config.json of the tower alone. */
export const visionTransformerFields = (modelType: string, config: VisionTransformerConfig): JsonObject => ({
  model_type: modelType,
  hidden_size: config.hiddenSize,
  intermediate_size: config.intermediateSize,
  num_hidden_layers: config.numLayers,
  num_attention_heads: config.numHeads,
  num_channels: config.numChannels,
  image_size: config.imageSize,
  patch_size: config.patchSize,
  hidden_act: config.hiddenAct === "gelu_tanh" ? "gelu_pytorch_tanh" : config.hiddenAct,
  layer_norm_eps: config.layerNormEps,
});

/** Rows and columns of patches; pixels that fill none at the right and the bottom are not seen. */
export function patchesOf({ imageSize, patchSize }: Pick<VisionConfig, "imageSize" | "patchSize">): {
  rows: number;
  columns: number;
} {
  const side = Math.floor(imageSize / patchSize);
  return { rows: side, columns: side };
}
