import { clipImageConfig } from "../../processing/image/index.ts";
import type { VisionTowerFamily } from "../family.ts";
import { describeTransformer, transformerNames } from "../vision-gguf.ts";
import type { FeatureSelection } from "../vision-tower.ts";
import {
  CLIP_FIELDS,
  type ClipVisionConfig,
  clipFields,
  gridOf,
  PUBLISHED_CLIPS,
  parseClipConfig,
} from "./config.ts";
import { clipFromGguf } from "./gguf.ts";
import { ClipVisionTower } from "./model.ts";

/** CLIP's vision transformers. */
export const clip: VisionTowerFamily = {
  name: "clip",
  modelTypes: ["clip_vision_model", "clip"],
  architecture: "CLIPVisionModel",
  published: PUBLISHED_CLIPS,
  besides: [/^text_model\./, /^(?:text|visual)_projection\./, /^logit_scale$/],
  fields: CLIP_FIELDS,
  hasClassToken: true,
  parseConfig: parseClipConfig,
  gridOf,
  imageConfig: clipImageConfig,
  fieldsOf: clipFields,
  gguf: {
    names: transformerNames,
    isIn: ({ tensors }) => tensors.has("v.class_embd"),
    parseConfig: clipFromGguf,
    describe: (config: ClipVisionConfig) =>
      describeTransformer(config, { isQuick: config.hiddenAct === "quick_gelu" }),
    notes: [
      "CLIP towers are computed wrongly by llama.cpp (its issue 25814): answers about images need a build with that mended",
    ],
  },
  build: (config: ClipVisionConfig, selection: FeatureSelection) => new ClipVisionTower(config, selection),
};
