import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, readJsonObject } from "../../files/index.ts";
import type { FeatureGrid, Tiling } from "../../processing/image/index.ts";
import type { VideoConfig } from "../../processing/video/index.ts";
import { CLIP_LARGE_336 } from "../clip/config.ts";
import { coverFields, type FieldCoverage } from "../config-coverage.ts";
import { activation, checked, count, flag } from "../config-fields.ts";
import {
  gridOf,
  hasClassToken,
  originalLayerOf,
  originalModelTypes,
  PUBLISHED_TOWERS,
  parseTextConfig,
  parseVisionConfig,
  textFields,
  textTypeOf,
  visionFields,
} from "../families.ts";
import type { LanguageModelConfig } from "../language-model.ts";
import type { VisionConfig } from "../vision-tower.ts";
import { HUGGING_FACE_NEUTRAL, ORIGINAL_NEUTRAL } from "./neutral-fields.ts";
import { originalProjector, type ProjectorConfig } from "./projector-config.ts";
import {
  huggingFaceTiling,
  originalTiling,
  originalTilingFields,
  type TiledType,
  tiledTypes,
} from "./tiling.ts";
import { lastPart, readConfigJson, type TowerPlaces, towerFolder } from "./tower-folder.ts";
import { huggingFaceVideo, originalVideo, originalVideoFields, ownVideoFields, videoOf } from "./video.ts";

export interface LlavaConfig {
  readonly text: LanguageModelConfig;
  readonly vision: VisionConfig;
  readonly projector: ProjectorConfig;
  /** Id that stands in `inputIds` for one image feature row. */
  readonly imageTokenId: number;
  /** Indices into the list of hidden states (element 0 = embeddings); several are concatenated. Negative from the end. */
  readonly featureLayers: readonly number[];
  /** "patch" drops the class token, "full" keeps it. */
  readonly selectStrategy: "patch" | "full";
  /** "pad" = mean-coloured square first; "crop" = resize and centre crop. */
  readonly imageAspectRatio: "pad" | "crop";
  /** How images are cut into tiles (AnyRes); left out where they are seen as a whole. */
  readonly tiling?: Tiling;
  /** How videos are seen; left out where the model learned from images alone, and says nothing. */
  readonly video?: VideoConfig;
  /** Channels that frames have once a convolution has pooled them; left out where nothing with weights does. */
  readonly pooledChannels?: number;
  /** Feature rows of a tile of an image. */
  readonly grid: FeatureGrid;
  /** Whether an image's features stand between the tokens `<im_start>` and `<im_end>` in a prompt (LLaVA v0, MPT). */
  readonly useImageStartEnd: boolean;
  /** Id or path of the vision tower whose weights are not in this checkpoint; undefined when they are. */
  readonly visionTower?: string;
}

/** Id that original checkpoints put where image features go; they have no such token. */
export const ORIGINAL_IMAGE_TOKEN_ID = -200;

const layers = z.union([z.int(), z.array(z.int()).min(1)]).nullish();
const DEFAULT_FEATURE_LAYER = -2;

/** Reads the `config.json` in a checkpoint's folder, and that of the vision tower where it is a folder of its own. */
export function readLlavaConfig(folder: string, places: TowerPlaces = {}): LlavaConfig {
  const path = join(folder, "config.json");
  const json = readConfigJson(folder);
  const found = towerFolder(folder, places);
  if (found === undefined) return parseLlavaConfig(json, path);
  const towerPath = join(found, "config.json");
  const config = parseLlavaConfig(json, path, parseVisionConfig(readJsonObject(towerPath), towerPath));
  return config.visionTower === undefined ? config : { ...config, visionTower: found };
}

/**
 * A LLaVA configuration in Hugging Face's or the original layout. Fields that a file leaves out take transformers'
 * defaults. `tower` describes an original checkpoint's vision tower where its name does not.
 */
export function parseLlavaConfig(
  json: Readonly<Record<string, unknown>>,
  where: string,
  tower?: VisionConfig,
): LlavaConfig {
  const { model_type: type } = json;
  const isOriginal = textTypeOf(type) !== undefined;
  if (isOriginal && (type !== "llava" || "mm_vision_tower" in json)) return parseOriginal(json, where, tower);
  if (type === "llava" || isTiled(type)) return parseHuggingFace(json, where);
  const known = [...originalModelTypes, ...Object.keys(tiledTypes)].join(", ");
  throw new LlavaError("config", `${where}: model_type ${JSON.stringify(type)}; known are ${known}`, {
    hint: "The model is not a LLaVA that this version reads.",
  });
}

const huggingFaceFields = z.object({
  image_transparency: z.string().nullish(),
  ...ownVideoFields,
  image_token_index: z.int().nullish(),
  image_token_id: z.int().nullish(),
  vision_feature_layer: layers,
  vision_feature_select_strategy: z.enum(["default", "full"]).nullish(),
  projector_hidden_act: z.string().nullish(),
  multimodal_projector_bias: flag,
  tie_word_embeddings: flag,
  text_config: z.record(z.string(), z.unknown()).nullish(),
  vision_config: z.record(z.string(), z.unknown()).nullish(),
});

/** What files leave out, by their model type. */
const NEXT = { layer: DEFAULT_FEATURE_LAYER, strategy: "default", imageTokenId: 32_000 } as const;
const NEXT_VIDEO = { ...NEXT, imageTokenId: 32_001 } as const;
const ONEVISION = { layer: -1, strategy: "full", imageTokenId: 151_646 } as const;

const isTiled = (type: unknown): type is TiledType => Object.hasOwn(tiledTypes, String(type));

/** LLaVA's fields, and those that its type adds. */
const huggingFaceCoverage = ({ model_type: type }: JsonObject): FieldCoverage => ({
  read: [
    ...Object.keys(huggingFaceFields.shape),
    ...(isTiled(type) ? Object.keys(tiledTypes[type].shape) : []),
  ],
  neutral: HUGGING_FACE_NEUTRAL,
});

function parseHuggingFace(json: JsonObject, where: string): LlavaConfig {
  coverFields(json, { ...huggingFaceCoverage(json), where });
  const config = checked(huggingFaceFields, json, where);
  requirePartTypes(json, where);
  const text = parseTextConfig(config.text_config ?? {}, `${where}, text_config`);
  const vision = config.vision_config
    ? parseVisionConfig(config.vision_config, `${where}, vision_config`)
    : CLIP_LARGE_336;
  const { model_type: type } = json;
  const assumed = type === "llava_onevision" ? ONEVISION : type === "llava_next_video" ? NEXT_VIDEO : NEXT;
  const isFull = (config.vision_feature_select_strategy ?? assumed.strategy) === "full";
  if (!isFull && !hasClassToken(vision))
    throw new LlavaError(
      "config",
      `${where}: vision_feature_select_strategy is "default", which leaves the class token out; a tower of the kind ${vision.family} has none`,
      { hint: 'Set it to "full", as checkpoints with this tower have it.' },
    );
  const selectStrategy = isFull ? "full" : "patch";
  const grid = gridOf(vision, selectStrategy);
  const eye = { imageSize: vision.imageSize, grid };
  return {
    text: { ...text, tieWordEmbeddings: text.tieWordEmbeddings || (config.tie_word_embeddings ?? false) },
    vision,
    projector: {
      type: "mlp",
      depth: 2,
      act: activation(config.projector_hidden_act ?? "gelu", ["gelu", "gelu_tanh", "silu", "relu"], where),
      bias: config.multimodal_projector_bias ?? true,
    },
    imageTokenId: config.image_token_id ?? config.image_token_index ?? assumed.imageTokenId,
    featureLayers: checkedLayers(
      config.vision_feature_layer ?? assumed.layer,
      vision,
      `${where}: vision_feature_layer`,
    ),
    selectStrategy,
    imageAspectRatio: "crop",
    ...(isTiled(type) && { tiling: huggingFaceTiling(type, json, eye, where) }),
    ...videoOf(huggingFaceVideo(json, grid, where), json, vision),
    grid,
    useImageStartEnd: false,
  };
}

/** LLaVA and LLaVA-NeXT are around Llama and CLIP where a file does not say; of others it must. */
function requirePartTypes({ model_type: type, ...json }: JsonObject, where: string): void {
  if (type !== "llava_onevision") return;
  for (const part of ["text_config", "vision_config"])
    if (typeof (json[part] as JsonObject | null | undefined)?.["model_type"] !== "string")
      throw new LlavaError("config", `${where}: ${part} has no model_type`, {
        hint: "Compare config.json with the one that the checkpoint was published with.",
      });
}

const originalFields = z.object({
  mm_vision_tower: z.string(),
  mm_hidden_size: count,
  mm_projector_type: z.string().nullish(),
  mm_vision_select_layer: layers,
  mm_vision_select_feature: z.enum(["patch", "cls_patch"]).nullish(),
  ...originalTilingFields,
  ...originalVideoFields,
  image_transparency: z.string().nullish(),
  mm_use_im_start_end: flag,
  mm_use_im_patch_token: flag,
  unfreeze_mm_vision_tower: flag,
  mm_tunable_parts: z.string().nullish(),
});

const ORIGINAL_FIELDS = Object.keys(originalFields.shape);

/** Fields of a LLaVA's config.json, and of the parts' inside it, that nothing is known of. */
export function unknownConfigFields(json: JsonObject, where: string): string[] {
  if ("mm_vision_tower" in json) {
    const text = textFields(json, where, textTypeOf(json["model_type"]));
    const neutral = { ...text.neutral, ...ORIGINAL_NEUTRAL };
    return coverFields(json, { read: [...text.read, ...ORIGINAL_FIELDS], neutral, where });
  }
  const part = (name: string, fieldsOf: (part: JsonObject) => FieldCoverage) => {
    const inside = (json[name] ?? {}) as JsonObject;
    return coverFields(inside, { ...fieldsOf(inside), where }).map((field) => `${name}.${field}`);
  };
  return [
    ...coverFields(json, { ...huggingFaceCoverage(json), where }),
    ...part("text_config", (text) => textFields(text, where)),
    ...part("vision_config", visionFields),
  ];
}

function parseOriginal(
  json: Readonly<Record<string, unknown>>,
  where: string,
  tower?: VisionConfig,
): LlavaConfig {
  const { model_type: type } = json;
  const config = checked(originalFields, json, where);
  coverFields(json, { read: [], neutral: ORIGINAL_NEUTRAL, where });
  const vision = tower ?? PUBLISHED_TOWERS[config.mm_vision_tower];
  if (!vision) {
    const known = Object.keys(PUBLISHED_TOWERS).join(", ");
    throw new LlavaError(
      "config",
      `${where}: mm_vision_tower ${config.mm_vision_tower} is no folder here; known are ${known}`,
      {
        hint: `Put the tower's folder, with its config.json, beside the checkpoint's files as ${lastPart(config.mm_vision_tower)}, or name it (--vision-tower).`,
      },
    );
  }
  const featureLayers = checkedLayers(
    config.mm_vision_select_layer,
    vision,
    `${where}: mm_vision_select_layer`,
  );
  if (config.mm_hidden_size && config.mm_hidden_size !== vision.hiddenSize * featureLayers.length) {
    throw new LlavaError(
      "config",
      `${where}: mm_hidden_size ${config.mm_hidden_size}; ${config.mm_vision_tower} gives ${vision.hiddenSize * featureLayers.length}`,
    );
  }
  requireOriginalLayer(featureLayers, vision, where);
  const isFull = config.mm_vision_select_feature === "cls_patch" || !hasClassToken(vision);
  const selectStrategy = isFull ? "full" : "patch";
  const grid = gridOf(vision, selectStrategy);
  const tiling = originalTiling(json, { imageSize: vision.imageSize, grid }, where);
  const tuned =
    config.unfreeze_mm_vision_tower || config.mm_tunable_parts?.split(",").includes("mm_vision_tower");
  return {
    text: parseTextConfig(json, where, textTypeOf(type)),
    vision,
    projector: originalProjector(config.mm_projector_type ?? "linear", where),
    imageTokenId: ORIGINAL_IMAGE_TOKEN_ID,
    featureLayers,
    selectStrategy,
    imageAspectRatio: config.image_aspect_ratio === "pad" ? "pad" : "crop",
    ...(tiling && { tiling }),
    ...videoOf(originalVideo(json, grid, where), json, vision),
    grid,
    useImageStartEnd: config.mm_use_im_start_end ?? false,
    ...(!tuned && { visionTower: config.mm_vision_tower }),
  };
}

/** Its code reads no `mm_vision_select_layer` for such towers. */
function requireOriginalLayer(stated: readonly number[], vision: VisionConfig, where: string): void {
  const layer = originalLayerOf(vision);
  if (layer === undefined || stated.every((each) => each === layer)) return;
  throw new LlavaError(
    "config",
    `${where}: mm_vision_select_layer is ${stated.join(", ")}; the original code takes ${layer} of a tower of the kind ${vision.family}`,
    { hint: `Set it to ${layer}: the features of such a checkpoint are that layer's, whatever it says.` },
  );
}

/** A tower of n layers has hidden states −(n + 1) … n. */
function checkedLayers(stored: z.infer<typeof layers>, { numLayers }: VisionConfig, where: string): number[] {
  const list = [stored ?? DEFAULT_FEATURE_LAYER].flat();
  for (const layer of list) {
    if (layer > numLayers || layer < -(numLayers + 1)) {
      throw new LlavaError(
        "config",
        `${where} is ${layer}; a tower of ${numLayers} layers has −${numLayers + 1} to ${numLayers}`,
        { hint: "Compare config.json with the one that the checkpoint was published with." },
      );
    }
  }
  return list;
}
