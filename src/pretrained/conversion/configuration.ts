import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import {
  hasClassToken,
  type LlavaConfig,
  originalLayerOf,
  originalOf,
  originalTilingWords,
  originalVideoFieldsOf,
  PUBLISHED_TOWERS,
  textFieldsOf,
  textTypeOf,
  type VisionConfig,
  visionFieldsOf,
} from "../../models/index.ts";
import type { ImageSize, Tiling } from "../../processing/image/index.ts";
import type { VideoConfig } from "../../processing/video/index.ts";
import { transparencyField } from "../image-processor.ts";
import { DESCRIBED_TOWER } from "../save.ts";

/** The layouts that a model can be written in. */
export type WrittenLayout = "hf" | "original" | "gguf";

export const isOriginalConfig = (json: JsonObject): boolean => "mm_vision_tower" in json;

/** What a configuration is written from: config.json, plain, with what loading made of it. */
export interface ConfigurationSource {
  readonly json: JsonObject;
  /** What it says of the language model, in the words of transformers' text_config. */
  readonly text: JsonObject;
  readonly config: LlavaConfig;
  readonly pad: boolean;
  readonly tied: boolean;
}

/** @throws LlavaError "usage" naming what the layout has no word for */
export function refuseUnwritable(
  to: Exclude<WrittenLayout, "gguf">,
  { config: { projector, tiling, useImageStartEnd, featureLayers } }: ConfigurationSource,
): void {
  const refuse = (what: string): never => {
    const name = to === "hf" ? "Hugging Face's" : "the original";
    throw new LlavaError("usage", `${name} layout cannot hold ${what}`, {
      hint: "The model can only be written in the layout that it has.",
    });
  };
  if (to === "hf") {
    if (projector.type !== "mlp" || projector.depth !== 2)
      refuse(`a projector of ${projector.depth} layers (mm_projector_type); it has two`);
    if (useImageStartEnd) refuse("images between <im_start> and <im_end> (mm_use_im_start_end)");
    if (tiling && (tiling.merge.order !== "unpad" || !tiling.merge.overview))
      refuse("another merge than spatial_unpad (mm_patch_merge_type)");
    return;
  }
  if (featureLayers.length > 1) refuse("features of several layers (vision_feature_layer)");
  if (projector.act !== "gelu") refuse(`a projector with ${projector.act} (projector_hidden_act)`);
  if (!projector.bias) refuse("a projector without bias (multimodal_projector_bias)");
}

/** What transformers calls a model by how it cuts images, before "ForConditionalGeneration", "Processor" and "ImageProcessor". */
export function kindOf(tiling: Tiling | undefined): { readonly type: string; readonly name: string } {
  if (tiling === undefined) return { type: "llava", name: "Llava" };
  return tiling.merge.mostTiles === undefined
    ? { type: "llava_next", name: "LlavaNext" }
    : { type: "llava_onevision", name: "LlavaOnevision" };
}

/** LLaVA-NeXT-Video, of which the original code tells by fields beside LLaVA-NeXT's, transformers by another kind. */
export const NEXT_VIDEO = { type: "llava_next_video", name: "LlavaNextVideo" } as const;

/** Whether an original configuration is LLaVA-NeXT-Video's: it pools before the projector, as `mm_resampler_type` says. */
export const isNextVideo = ({ json, config: { tiling, video } }: ConfigurationSource): boolean =>
  json["mm_resampler_type"] === "spatial_pool" &&
  video?.pooling.place === "before" &&
  tiling !== undefined &&
  tiling.merge.mostTiles === undefined;

/** What both layouts say of videos, each by its own code. */
const FRAMES_NOTE =
  "frames of videos are resized by Pillow in the original code, by torchvision in transformers: a value may differ by a grey level";

/** The tower as the original code names and selects from it: of some kinds it takes one layer, to which the tower's length is made to fit. */
export function originalTower({ vision, featureLayers: [layer = 0] }: LlavaConfig): {
  readonly vision: VisionConfig;
  readonly layer: number;
} {
  const fixed = originalLayerOf(vision);
  if (fixed === undefined) return { vision, layer };
  const state = layer < 0 ? vision.numLayers + 1 + layer : layer;
  return { vision: { ...vision, numLayers: state - 1 - fixed }, layer: fixed };
}

/** Of LLaVA around the language model in the original layout; the last are settings of answers, which have a file. */
const AROUND =
  /^(?:mm_|image_|tune_mm_|freeze_mm_|unfreeze_mm_|use_mm_|tokenizer_|vision_tower|s2(?:_scales)?$|delay_load$|video_|frames_upbound$|force_sample$|add_(?:time_instruction|faster_video)$|_|architectures$|model_type$|auto_map$|dtype$|torch_dtype$|transformers_version$|(?:max|min)_length$|temperature$|top_[kp]$|do_sample$)/;

/** Those that say what the other layout says in its own words, or nothing. */
const SAID =
  /^(?:mm_(?:vision_tower|hidden_size|projector_type|vision_select_\w+|use_im_\w+|patch_merge_type)|image_(?:aspect_ratio|grid_pinpoints|seq_length|token_index|token_id|transparency)|(?:un)?freeze_mm_\w+|use_mm_proj|video_sampling|architectures|model_type|dtype|torch_dtype|transformers_version|tune_mm_mlp_adapter)$/;

interface Written {
  readonly fields: JsonObject;
  /** Fields that the layout has no place for. */
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

/** What a configuration says of the language model, in the words of transformers' text_config. */
export function textOf(json: JsonObject): JsonObject {
  if (!isOriginalConfig(json)) return { model_type: textTypeOf("llava"), ...(json["text_config"] as object) };
  const own = Object.entries(json).filter(([name]) => !AROUND.test(name));
  return { model_type: textTypeOf(json["model_type"]), ...Object.fromEntries(own) };
}

/** config.json of transformers' LLaVA, for one of the original code. */
export function huggingFaceConfig(
  source: ConfigurationSource,
  {
    imageTokenId,
    videoTokenId,
    rows,
    towerLayers,
  }: {
    imageTokenId: number;
    videoTokenId: number;
    rows: number;
    /** Those that are stored: the original code takes some off, and numbers from the end follow. */
    towerLayers: number;
  },
): Written {
  const { json, text, config, tied } = source;
  const { tiling, video } = config;
  const isVideo = isNextVideo(source);
  const { type, name } = isVideo ? NEXT_VIDEO : kindOf(tiling);
  const said = saidOfVideo(video, type);
  const vision = { ...config.vision, numLayers: Math.min(config.vision.numLayers, towerLayers) };
  const { points, notes } = pinpoints(tiling);
  const leftOut = Object.keys(json).filter(
    (name) => AROUND.test(name) && !SAID.test(name) && !said?.test(name),
  );
  const transparency = json[transparencyField];
  const layers = config.featureLayers.map((layer) =>
    layer < 0 ? layer + config.vision.numLayers - vision.numLayers : layer,
  );
  const mostTiles = tiling?.merge.mostTiles;
  const fields: JsonObject = {
    architectures: [`${name}ForConditionalGeneration`],
    model_type: type,
    image_token_index: imageTokenId,
    image_seq_length: config.grid.rows * config.grid.columns + config.grid.extra,
    ...(points && { image_grid_pinpoints: points, use_image_newline_parameter: true }),
    multimodal_projector_bias: true,
    projector_hidden_act: "gelu",
    ...(mostTiles !== undefined && {
      vision_aspect_ratio: `anyres_max_${mostTiles}`,
      video_token_index: videoTokenId,
    }),
    ...(isVideo &&
      video && {
        spatial_pool_mode: video.pooling.mode,
        spatial_pool_stride: video.pooling.stride,
        ...(config.pooledChannels && { spatial_pool_out_channels: config.pooledChannels }),
        video_token_index: videoTokenId,
      }),
    ...(json["video_sampling"] != null && { video_sampling: json["video_sampling"] }),
    vision_feature_layer: layers.length > 1 ? layers : layers[0],
    vision_feature_select_strategy: config.selectStrategy === "full" ? "full" : "default",
    tie_word_embeddings: tied,
    ...(transparency !== undefined && { [transparencyField]: transparency }),
    text_config: {
      ...textFieldsOf(config.text),
      ...text,
      vocab_size: rows,
      tie_word_embeddings: tied,
    },
    vision_config: visionFieldsOf(vision),
  };
  return { fields, leftOut, notes: [...notes, ...(said ? [FRAMES_NOTE] : [])] };
}

/** Fields of the original code on videos that say what a kind of transformers' does; undefined where they say anything else. */
function saidOfVideo(video: VideoConfig | undefined, type: string): RegExp | undefined {
  if (type === NEXT_VIDEO.type) return /^mm_(?:resampler_type|spatial_pool_\w+)$/;
  const { pooling, newlines } = video ?? {};
  const isOnevision =
    type === "llava_onevision" &&
    pooling?.place === "after" &&
    pooling.mode === "bilinear" &&
    newlines === "video";
  return isOnevision ? /^mm_(?:newline_position|spatial_pool_\w+)$/ : undefined;
}

/** Of transformers' text_config, what a flat configuration says at its own top, or in older words. */
const INSIDE = /^(?:_|architectures$|model_type$|dtype$|torch_dtype$|transformers_version$|rope_parameters$)/;

/** config.json of the original code, for one of transformers' LLaVA. */
export function originalConfig(
  { json, text: inside, config, pad, tied }: ConfigurationSource,
  rows: number,
): Written {
  const { tiling, video } = config;
  const { vision, layer } = originalTower(config);
  const { modelType, architecture } = originalOf(inside["model_type"], "config.json, text_config");
  const { points, notes } = pinpoints(tiling);
  const [published] = Object.entries(PUBLISHED_TOWERS).find(([, tower]) => isSame(tower, vision)) ?? [];
  const ids = ["bos_token_id", "eos_token_id", "pad_token_id"].filter((name) => name in json);
  const transparency = json[transparencyField];
  const fields: JsonObject = {
    ...textFieldsOf(config.text),
    ...Object.fromEntries(ids.map((name) => [name, json[name]])),
    ...Object.fromEntries(Object.entries(inside).filter(([name]) => !INSIDE.test(name))),
    ...flatRope(inside),
    vocab_size: rows,
    architectures: [architecture],
    model_type: modelType,
    tie_word_embeddings: tied,
    mm_vision_tower: published ?? DESCRIBED_TOWER,
    unfreeze_mm_vision_tower: true,
    mm_hidden_size: vision.hiddenSize,
    mm_projector_type: "mlp2x_gelu",
    mm_vision_select_layer: layer,
    mm_vision_select_feature:
      config.selectStrategy === "full" && hasClassToken(vision) ? "cls_patch" : "patch",
    mm_use_im_start_end: false,
    mm_use_im_patch_token: false,
    use_mm_proj: true,
    image_aspect_ratio: pad ? "pad" : "square",
    ...(tiling && { image_grid_pinpoints: points, ...originalTilingWords(tiling) }),
    ...(isOfVideos(json) && video && originalVideoFieldsOf(video)),
    ...(config.pooledChannels && { mm_spatial_pool_out_channels: config.pooledChannels }),
    video_sampling: json["video_sampling"] ?? undefined,
    ...(transparency !== undefined && { [transparencyField]: transparency }),
  };
  return { fields, leftOut: [], notes: [...notes, ...(isOfVideos(json) ? [FRAMES_NOTE] : [])] };
}

const isOfVideos = ({ model_type: type }: JsonObject): boolean =>
  type === NEXT_VIDEO.type || type === "llava_onevision";

const isSame = (a: unknown, b: unknown): boolean => {
  const sorted = (value: unknown) => JSON.stringify(Object.entries(value as object).sort());
  return sorted(a) === sorted(b);
};

/** `rope_parameters` of transformers 5 as the versions before have it. */
function flatRope(text: JsonObject): JsonObject {
  const { rope_theta, ...scaling } = (text["rope_parameters"] ?? {}) as JsonObject;
  const type = scaling["rope_type"] ?? scaling["type"] ?? "default";
  return {
    ...(rope_theta !== undefined && { rope_theta }),
    ...(text["rope_scaling"] === undefined && {
      rope_scaling: type === "default" ? null : { ...scaling, rope_type: type, type },
    }),
  };
}

type Pair = readonly [number, number];

/**
 * The list of pinpoints, pair by pair as it stands: the one layout reads width and height, the other height and width. Where
 * that would be other sizes, each pair is turned around instead.
 */
function pinpoints(tiling: Tiling | undefined): { points?: readonly Pair[]; notes: string[] } {
  if (tiling === undefined) return { notes: [] };
  const isHeightFirst = tiling.merge.rounding === "round";
  const stated = tiling.resolutions.map(
    ({ width, height }: ImageSize): Pair => (isHeightFirst ? [height, width] : [width, height]),
  );
  const turned = stated.map(([first, second]): Pair => [second, first]);
  const text = (pairs: readonly Pair[]) => pairs.map(String);
  if (text(stated).join(" ") === text(turned).join(" ")) return { points: stated, notes: [] };
  if (text(stated).sort().join(" ") !== text(turned).sort().join(" "))
    return {
      points: turned,
      notes: [
        "image_grid_pinpoints: each pair is turned around, since the layouts read them in other orders",
      ],
    };
  return {
    points: stated,
    notes: [
      `image_grid_pinpoints is kept as it is; the original code reads width and height, transformers height and width: images of up to ${tiling.side}×${tiling.side} pixels can be cut in the other direction`,
    ],
  };
}
