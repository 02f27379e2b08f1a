import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { type JsonObject, readJsonFile } from "../files/index.ts";
import type { LlavaConfig } from "../models/index.ts";
import { parseImageProcessorConfig } from "../processing/image/index.ts";
import { samplingSchema, type VideoConfig } from "../processing/video/index.ts";

/**
 * How a model sees videos, with what transformers' video processor says where the checkpoint has one: how frames are
 * resized and normalised, by torchvision's arithmetic, and which are taken, unless config.json says that. Undefined for a
 * model that says nothing of videos.
 */
export async function loadVideoConfig(
  { json, path }: { readonly json: JsonObject; readonly path: string },
  folders: readonly string[],
  { video, vision }: LlavaConfig,
): Promise<VideoConfig | undefined> {
  if (video === undefined) return undefined;
  for (const folder of folders)
    for (const name of ["processor_config.json", "video_preprocessor_config.json"]) {
      const stored = await readJsonFile(join(folder, name));
      const section = name === "processor_config.json" ? stored?.["video_processor"] : stored;
      if (typeof section !== "object" || section === null) continue;
      const where = `${join(folder, name)}: video_processor`;
      const { video_processor_type: type = "CLIPVideoProcessor" } = section as JsonObject;
      const image_processor_type = String(type).replace("VideoProcessor", "ImageProcessor");
      const frames = parseImageProcessorConfig({ ...section, image_processor_type }, where);
      const side = frames.crop ?? frames.resize;
      const { width, height } = side !== null && "width" in side ? side : {};
      if (width !== vision.imageSize || height !== vision.imageSize)
        throw new LlavaError(
          "config",
          `${where} makes frames of ${width ?? "any"}×${height ?? "any"}; the vision tower takes ${vision.imageSize}×${vision.imageSize}`,
          { hint: `${name} and ${path} are of different models; get both from the same one.` },
        );
      const sampling = json["video_sampling"] ? video.sampling : statedSampling(section as JsonObject);
      return { ...video, frames: { ...frames, arithmetic: "torch" }, ...(sampling && { sampling }) };
    }
  return video;
}

/** Undefined where it takes no sample: all frames then come from the caller. */
function statedSampling({ do_sample_frames: samples, num_frames: frames, fps }: JsonObject) {
  if (samples !== true) return undefined;
  const rule = { rule: "arange", ...(frames ? { frames } : {}), ...(fps ? { fps } : {}) };
  return samplingSchema.safeParse(rule).data;
}
