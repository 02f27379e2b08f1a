import { LlavaError } from "../errors.ts";
import type { JsonObject } from "../files/index.ts";
import { fivePinpoints, huggingFaceTiling, type Llava, originalTiling } from "../models/index.ts";
import type { AnyRes, FeatureGrid, Tiling } from "../processing/image/index.ts";
import { writeHuggingFaceProcessor } from "./conversion/processor-files.ts";
import type { DescribedModel } from "./pretrained.ts";

interface Eye {
  readonly imageSize: number;
  readonly grid: FeatureGrid;
}

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
  const type = origin?.config["model_type"];
  const isOriginal = origin !== undefined && "mm_vision_tower" in origin.config;
  if (origin === undefined || !(isOriginal || type === "llava" || type === "llava_next"))
    throw new LlavaError(
      "config",
      origin === undefined
        ? "anyres is for a checkpoint of LLaVA or LLaVA-NeXT, or a model put together from parts"
        : `anyres is for a checkpoint of LLaVA or LLaVA-NeXT; this one's model_type is ${JSON.stringify(type)}`,
      { hint: "Leave anyres out; built-in models see images as a whole." },
    );
  const { imageConfig, grid } = processor;
  // The image processor makes what the tower takes, which loading has checked.
  const size = imageConfig.crop ?? imageConfig.resize;
  const eye = { imageSize: size !== null && "width" in size ? size.width : 0, grid };
  const { fields, tiling } = isOriginal
    ? { fields: originalFields(anyRes, eye.imageSize), tiling: anyResTiling(anyRes, eye) }
    : huggingFace(anyRes, eye);
  const image = { ...imageConfig, aspect: "square" as const, tiling };
  const config = { ...origin.config, ...fields };
  const llava = { ...origin.llava, tiling };
  return {
    ...described,
    processor: processor.with({ image }),
    origin: {
      ...origin,
      config,
      llava,
      ...(!isOriginal && {
        writeProcessor: (folder: string) => writeHuggingFaceProcessor(folder, image, llava, plain(config)),
      }),
    },
  };
}

/** Without the words of numbers that a file is read verbatim with. */
export const plain = (config: JsonObject): JsonObject => JSON.parse(JSON.stringify(config)) as JsonObject;

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
export const anyResTiling = (anyRes: AnyRes, eye: Eye): Tiling =>
  originalTiling(originalFields(anyRes, eye.imageSize), eye, "anyres")!;

/** As transformers' LLaVA-NeXT has it, which knows one way to merge tiles. */
function huggingFace(anyRes: AnyRes, eye: Eye): { readonly fields: JsonObject; readonly tiling: Tiling } {
  const { maxTiles, mergeType, pinpoints } = anyRes;
  const { resolutions } = anyResTiling(anyRes, eye);
  const wrong = maxTiles !== undefined ? "maxTiles" : mergeType !== "spatial_unpad" ? "mergeType" : undefined;
  if (wrong !== undefined)
    throw new LlavaError(
      "config",
      `anyres.${wrong} is ${JSON.stringify(anyRes[wrong])}, for which Hugging Face's layout has no word`,
      { hint: "Leave it out, or start from the model in the original layout (llava convert --to original)." },
    );
  const points = resolutions.map(({ width, height }) => [height, width]);
  const fields = {
    model_type: "llava_next",
    architectures: ["LlavaNextForConditionalGeneration"],
    // The published list is the same in both layouts.
    image_grid_pinpoints: pinpoints === undefined ? fivePinpoints(eye.imageSize) : points,
    use_image_newline_parameter: true,
  };
  return { fields, tiling: huggingFaceTiling("llava_next", fields, eye, "anyres") };
}
