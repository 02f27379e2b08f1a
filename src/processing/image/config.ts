import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues } from "../../files/index.ts";
import { type Arithmetic, RESAMPLE_CODES, type Resample } from "./resample.ts";
import type { Tiling } from "./tiles.ts";
import { type Transparency, transparencies } from "./transparency.ts";

/**
 * What happens to an image that is not square: `square` resizes the shorter edge and crops the middle,
 * `pad` first puts the image on a square canvas of the mean colour. Tiled modes build on these per tile.
 */
export type AspectMode = "square" | "pad";

export type ChannelValues = readonly [red: number, green: number, blue: number];

/** The preprocessing of a CLIP-like vision tower; a step that is null is left out. */
export type ImageProcessorConfig = {
  readonly aspect: AspectMode;
  readonly resize:
    | { readonly shortestEdge: number }
    | { readonly width: number; readonly height: number }
    | null;
  readonly resample: Resample;
  /** Whose rounding; Pillow's without it. */
  readonly arithmetic?: Arithmetic;
  readonly crop: { readonly width: number; readonly height: number } | null;
  /** Multiplies the bytes, as a rule by 1/255. */
  readonly rescaleFactor: number | null;
  /** In units of the rescaled values. */
  readonly normalize: { readonly mean: ChannelValues; readonly std: ChannelValues } | null;
  /** What transparent pixels show; "drop" where a checkpoint does not say. */
  readonly transparency?: Transparency;
  /** How an image is cut into tiles, each of which goes through the steps above; left out where it is seen as a whole. */
  readonly tiling?: Tiling;
};

const CLIP_MEAN: ChannelValues = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: ChannelValues = [0.26862954, 0.26130258, 0.27577711];
const HALF: ChannelValues = [0.5, 0.5, 0.5];

/** CLIP's own preprocessing at a given input side, 336 for the tower of LLaVA-1.5. */
export function clipImageConfig(side: number, aspect: AspectMode = "square"): ImageProcessorConfig {
  return {
    aspect,
    resize: { shortestEdge: side },
    resample: "bicubic",
    crop: { width: side, height: side },
    rescaleFactor: 1 / 255,
    normalize: { mean: CLIP_MEAN, std: CLIP_STD },
  };
}

/** SigLIP's own preprocessing at a given input side: images are squeezed into it, and values lie between −1 and 1. */
export function siglipImageConfig(side: number, aspect: AspectMode = "square"): ImageProcessorConfig {
  return {
    ...clipImageConfig(side, aspect),
    resize: { width: side, height: side },
    crop: null,
    normalize: { mean: HALF, std: HALF },
  };
}

/** EfficientNet-lite's: (byte − 127) / 128. The input side is 224, 240, 260, 280, 300 for lite0 to lite4. */
export function efficientNetLiteImageConfig(
  side: number,
  aspect: AspectMode = "square",
): ImageProcessorConfig {
  const [mean, std] = [127 / 255, 128 / 255];
  return { ...clipImageConfig(side, aspect), normalize: { mean: [mean, mean, mean], std: [std, std, std] } };
}

const side = z.int().min(1).max(16_384);
const rectangle = z.object({ height: side, width: side });
const channelValues = z.union([
  z.tuple([z.number(), z.number(), z.number()]),
  z.number().transform((value): [number, number, number] => [value, value, value]),
]);

const schema = z.object({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: z.boolean().nullish(),
  size: z
    .union([side, rectangle, z.object({ shortest_edge: side, longest_edge: z.null().optional() })])
    .nullish(),
  resample: z
    .int()
    .min(0)
    .max(RESAMPLE_CODES.length - 1)
    .nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: z.union([side, rectangle]).nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: channelValues.nullish(),
  image_std: channelValues.nullish(),
  do_pad: z.boolean().nullish(),
  transparency: z.enum(transparencies).nullish(),
});

/** What a class of transformers does where a file does not say otherwise. */
interface ProcessorDefaults {
  readonly side: number;
  /** Whether images are cropped to a square behind a resize of their shorter edge, rather than squeezed into it. */
  readonly crops: boolean;
  readonly normalize: { readonly mean: ChannelValues; readonly std: ChannelValues };
}

const CLIP_DEFAULTS: ProcessorDefaults = {
  side: 224,
  crops: true,
  normalize: { mean: CLIP_MEAN, std: CLIP_STD },
};

const CLASSES: Readonly<Record<string, ProcessorDefaults>> = {
  CLIPImageProcessor: CLIP_DEFAULTS,
  CLIPFeatureExtractor: CLIP_DEFAULTS,
  LlavaImageProcessor: CLIP_DEFAULTS,
  LlavaNextImageProcessor: CLIP_DEFAULTS,
  LlavaNextVideoImageProcessor: CLIP_DEFAULTS,
  LlavaOnevisionImageProcessor: { ...CLIP_DEFAULTS, side: 384, crops: false },
  SiglipImageProcessor: { side: 224, crops: false, normalize: { mean: HALF, std: HALF } },
};

/**
 * Reads the contents of a Hugging Face `preprocessor_config.json`, or the `image_processor` section of a
 * `processor_config.json`. Missing fields take the defaults of the class, CLIP's where none is named, unknown ones are ignored.
 *
 * `where` names the file in errors; code "config".
 */
export function parseImageProcessorConfig(json: unknown, where: string): ImageProcessorConfig {
  const section = (json as { image_processor?: unknown } | null)?.image_processor ?? json;
  const parsed = schema.safeParse(section);
  if (!parsed.success) {
    throw new LlavaError(
      "config",
      `${where}: not an image processor configuration: ${describeIssues(parsed.error)}`,
      {
        hint: "compare it with the preprocessor_config.json of a CLIP or LLaVA checkpoint",
      },
    );
  }
  const fields = parsed.data;
  const className = fields.image_processor_type ?? fields.feature_extractor_type ?? "CLIPImageProcessor";
  const kind = className.replace(/(Fast|Pil)$/, "");
  const defaults = Object.hasOwn(CLASSES, kind) ? CLASSES[kind] : undefined;
  if (defaults === undefined) {
    throw new LlavaError("config", `${where}: image_processor_type is ${className}, which is not supported`, {
      hint: `supported are ${Object.keys(CLASSES).join(", ")}, each also with Fast or Pil at its end`,
    });
  }
  const { side: own, crops } = defaults;
  const size = fields.size ?? (crops ? own : { width: own, height: own });
  const crop = fields.crop_size ?? own;
  return {
    // The do_pad of the others only evens out a batch: nothing to do for one image.
    aspect: fields.do_pad && /^LlavaImageProcessor/.test(className) ? "pad" : "square",
    resize: fields.do_resize === false ? null : readSize(size),
    resample: RESAMPLE_CODES[fields.resample ?? 3]!,
    crop: (fields.do_center_crop ?? crops) ? readRectangle(crop) : null,
    rescaleFactor: fields.do_rescale === false ? null : (fields.rescale_factor ?? 1 / 255),
    normalize:
      fields.do_normalize === false
        ? null
        : {
            mean: fields.image_mean ?? defaults.normalize.mean,
            std: fields.image_std ?? defaults.normalize.std,
          },
    ...(fields.transparency && { transparency: fields.transparency }),
  };
}

function readRectangle(size: number | { width: number; height: number }): { width: number; height: number } {
  return typeof size === "number" ? { width: size, height: size } : size;
}

function readSize(size: number | { shortest_edge: number } | { width: number; height: number }) {
  if (typeof size === "number") return { shortestEdge: size };
  return "shortest_edge" in size ? { shortestEdge: size.shortest_edge } : size;
}
