import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { type JsonObject, readJsonFile } from "../files/index.ts";
import { imageConfigOf, type LlavaConfig, ORIGINAL_IMAGE_TOKEN_ID } from "../models/index.ts";
import {
  type AspectMode,
  type ImageProcessorConfig,
  parseImageProcessorConfig,
  transparencies,
} from "../processing/image/index.ts";

/** Field of config.json that says what transparent pixels of images show, where a model was trained to see that. */
export const transparencyField = "image_transparency";

/** From the checkpoint's own files, else from the tower's, as the original code has it. */
export async function loadImageProcessor(
  { json, path }: { readonly json: JsonObject; readonly path: string },
  folders: readonly string[],
  config: LlavaConfig,
): Promise<ImageProcessorConfig> {
  const aspect = config.imageAspectRatio === "pad" ? "pad" : "square";
  const stated = json[transparencyField];
  const transparency = transparencies.find((each) => each === stated);
  if (transparency === undefined && stated !== undefined && stated !== null)
    throw new LlavaError("config", `${path}: ${transparencyField} is ${JSON.stringify(stated)}`, {
      hint: `It is one of ${transparencies.join(", ")}.`,
    });
  const own = (await storedImageProcessor(folders, aspect, config)) ?? imageConfigOf(config.vision, aspect);
  const { tiling } = config;
  return { ...own, ...(tiling && { tiling }), ...(transparency && { transparency }) };
}

async function storedImageProcessor(
  folders: readonly string[],
  aspect: AspectMode,
  config: LlavaConfig,
): Promise<ImageProcessorConfig | undefined> {
  for (const folder of folders)
    for (const name of ["preprocessor_config.json", "processor_config.json"]) {
      const path = join(folder, name);
      const json = await readJsonFile(path);
      if (json !== undefined && (name === "preprocessor_config.json" || "image_processor" in json)) {
        requireSamePinpoints(json, path, config);
        const stored = parseImageProcessorConfig(json, path);
        return aspect === "pad" ? { ...stored, aspect } : stored;
      }
    }
  return undefined;
}

/** transformers counts an image's tokens by the processor's list and cuts its features by the model's. */
function requireSamePinpoints(json: JsonObject, path: string, { tiling, imageTokenId }: LlavaConfig): void {
  const section = (json["image_processor"] ?? json) as JsonObject;
  const stated = section["image_grid_pinpoints"];
  if (
    tiling === undefined ||
    stated === null ||
    stated === undefined ||
    imageTokenId === ORIGINAL_IMAGE_TOKEN_ID
  )
    return;
  const own = tiling.resolutions.map(({ width, height }) => [height, width]);
  if (JSON.stringify(stated) === JSON.stringify(own)) return;
  throw new LlavaError(
    "config",
    `${path}: image_grid_pinpoints is ${JSON.stringify(stated)}; config.json has ${JSON.stringify(own)}`,
    { hint: "The two files are of different models; get both from the same one." },
  );
}
