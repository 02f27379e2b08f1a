import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../../files/index.ts";
import { gridOf, type LlavaConfig, visionArchitectureOf, visionFieldsOf } from "../../models/index.ts";
import { type ImageProcessorConfig, RESAMPLE_CODES } from "../../processing/image/index.ts";
import { DESCRIBED_TOWER } from "../save.ts";
import { kindOf, NEXT_VIDEO, originalTower } from "./configuration.ts";
import { IMAGE_TOKEN, VIDEO_TOKEN, writeJson } from "./image-token.ts";

/** What a `preprocessor_config.json` says of images that are seen as a whole. */
export const imageProcessorFields = (image: ImageProcessorConfig): JsonObject => ({
  ...towerProcessor(image),
  ...(image.transparency && { transparency: image.transparency }),
});

/** `preprocessor_config.json` of a tower's own processor. */
function towerProcessor({
  resize,
  crop,
  rescaleFactor,
  normalize,
  resample,
}: ImageProcessorConfig): JsonObject {
  return {
    image_processor_type:
      crop === null && resize !== null && "width" in resize ? "SiglipImageProcessor" : "CLIPImageProcessor",
    do_convert_rgb: true,
    do_resize: resize !== null,
    ...(resize && { size: "shortestEdge" in resize ? { shortest_edge: resize.shortestEdge } : resize }),
    resample: RESAMPLE_CODES.indexOf(resample),
    do_center_crop: crop !== null,
    ...(crop && { crop_size: crop }),
    do_rescale: rescaleFactor !== null,
    ...(rescaleFactor !== null && { rescale_factor: rescaleFactor }),
    do_normalize: normalize !== null,
    ...(normalize && { image_mean: normalize.mean, image_std: normalize.std }),
  };
}

/** What transformers makes a model's inputs by. `fields` is config.json. */
export function writeHuggingFaceProcessor(
  folder: string,
  image: ImageProcessorConfig,
  config: LlavaConfig,
  fields: JsonObject,
): void {
  const points = fields["image_grid_pinpoints"];
  const { tiling, grid } = config;
  const { name } = kindOf(tiling);
  const isCapped = tiling?.merge.mostTiles !== undefined;
  const isVideo = fields["model_type"] === NEXT_VIDEO.type;
  const whole = isVideo ? NEXT_VIDEO.name : name;
  if (isCapped || isVideo)
    writeJson(join(folder, "video_preprocessor_config.json"), {
      ...towerProcessor(image),
      image_processor_type: undefined,
      video_processor_type: `${whole}VideoProcessor`,
    });
  writeJson(join(folder, "preprocessor_config.json"), {
    ...towerProcessor(image),
    ...(image.aspect === "pad" && { image_processor_type: "LlavaImageProcessor", do_pad: true }),
    ...(points !== undefined && {
      image_processor_type: `${name}ImageProcessor`,
      image_grid_pinpoints: points,
      do_pad: true,
      // LLaVA-NeXT's reads the side of its tiles there, whether it crops or not.
      ...(image.crop === null && !isCapped && { crop_size: image.resize }),
    }),
    ...(image.transparency && { transparency: image.transparency }),
  });
  writeJson(join(folder, "processor_config.json"), {
    processor_class: `${whole}Processor`,
    ...(isVideo && { video_token: VIDEO_TOKEN }),
    image_token: IMAGE_TOKEN,
    ...(isCapped
      ? {
          num_image_tokens: grid.rows * grid.columns,
          vision_aspect_ratio: fields["vision_aspect_ratio"],
          video_token: VIDEO_TOKEN,
        }
      : {
          num_additional_image_tokens: gridOf(config.vision, "full").extra,
          patch_size: (fields["vision_config"] as JsonObject)["patch_size"],
        }),
    vision_feature_select_strategy: fields["vision_feature_select_strategy"],
  });
}

/** What the original code makes a model's inputs by, and the tower's folder where its name does not tell its shape. */
export function writeOriginalProcessor(
  folder: string,
  image: ImageProcessorConfig,
  config: LlavaConfig,
  fields: JsonObject,
): void {
  for (const name of ["processor_config.json", "video_preprocessor_config.json"])
    rmSync(join(folder, name), { force: true });
  const processor = imageProcessorFields(image);
  writeJson(join(folder, "preprocessor_config.json"), processor);
  if (fields["mm_vision_tower"] !== DESCRIBED_TOWER) return;
  const tower = join(folder, DESCRIBED_TOWER);
  const { vision } = originalTower(config);
  mkdirSync(tower);
  writeJson(join(tower, "config.json"), {
    architectures: [visionArchitectureOf(vision)],
    ...visionFieldsOf(vision),
  });
  writeJson(join(tower, "preprocessor_config.json"), processor);
}
