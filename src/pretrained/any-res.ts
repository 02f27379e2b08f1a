import { LlavaError } from "../errors.ts";
import { fivePinpoints, type Llava, originalTiling } from "../models/index.ts";
import type { AnyRes, FeatureGrid, Tiling } from "../processing/image/index.ts";
import type { DescribedModel } from "./pretrained.ts";

/**
 * The same model, seeing images in tiles, as its configuration says from now on. Where it has had no newline, that has no
 * values yet once the model is loaded: see `addNewline`.
 * @throws LlavaError "config" where its vision tower or its kind of checkpoint cannot have them
 */
export function withAnyRes<M extends Pick<DescribedModel, "processor" | "origin">>(
  described: M,
  anyRes: AnyRes,
): M {
  const { processor, origin } = described;
  if (origin === undefined || !("mm_vision_tower" in origin.config))
    throw new LlavaError(
      "config",
      "anyres is for a model in the original LLaVA's layout, or put together from parts",
      {
        hint: "Give the original of a llava-hf checkpoint (liuhaotian/llava-v1.5-7b); built-in models see images as a whole.",
      },
    );
  const { imageConfig, grid } = processor;
  // The image processor makes what the tower takes, which loading has checked.
  const size = imageConfig.crop ?? imageConfig.resize;
  const imageSize = size !== null && "width" in size ? size.width : 0;
  const tiling = anyResTiling(anyRes, { imageSize, grid });
  return {
    ...described,
    processor: processor.with({ image: { ...imageConfig, aspect: "square", tiling } }),
    origin: { ...origin, config: { ...origin.config, ...originalFields(anyRes, imageSize) } },
  };
}

/** Makes room for a newline, where features are merged with one and the model has had none. Whether it has. */
export function addNewline(model: Llava, { merge }: Tiling): boolean {
  if (merge.order !== "unpad" || model.imageNewline !== undefined) return false;
  model.addNewline();
  return true;
}

/** As the original code's config.json has it. */
const originalFields = ({ pinpoints, maxTiles, mergeType }: AnyRes, imageSize: number) => ({
  image_aspect_ratio: maxTiles === undefined ? "anyres" : `anyres_max_${maxTiles}`,
  image_grid_pinpoints: pinpoints ?? fivePinpoints(imageSize),
  mm_patch_merge_type: mergeType,
});

/** @throws LlavaError "config" naming what does not fit the vision tower */
export const anyResTiling = (anyRes: AnyRes, eye: { imageSize: number; grid: FeatureGrid }): Tiling =>
  originalTiling(originalFields(anyRes, eye.imageSize), eye, "anyres")!;
