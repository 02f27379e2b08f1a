import { siglipImageConfig } from "../../processing/image/index.ts";
import type { VisionTowerFamily } from "../family.ts";
import type { FeatureSelection } from "../vision-tower.ts";
import {
  gridOf,
  PUBLISHED_SIGLIPS,
  parseSiglipConfig,
  SIGLIP_FIELDS,
  type SiglipVisionConfig,
  siglipFields,
} from "./config.ts";
import { siglipGguf } from "./gguf.ts";
import { SiglipVisionTower } from "./model.ts";

/** SigLIP's vision transformers. */
export const siglip: VisionTowerFamily = {
  name: "siglip",
  modelTypes: ["siglip_vision_model", "siglip"],
  architecture: "SiglipVisionModel",
  published: PUBLISHED_SIGLIPS,
  besides: [/^text_model\./, /^logit_(?:scale|bias)$/],
  fields: SIGLIP_FIELDS,
  hasClassToken: false,
  // It cuts the last layer off and takes what is left, whatever the configuration says.
  originalLayer: -2,
  parseConfig: parseSiglipConfig,
  gridOf,
  imageConfig: siglipImageConfig,
  fieldsOf: siglipFields,
  gguf: siglipGguf,
  build: (config: SiglipVisionConfig, selection: FeatureSelection) =>
    new SiglipVisionTower(config, selection),
};
