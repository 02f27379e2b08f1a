import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import type { FeatureGrid, FeatureMerge, ImageSize, Tiling } from "../../processing/image/index.ts";
import { checked } from "../config-fields.ts";
import { huggingFaceVideoFields } from "./video.ts";

/** The tower that looks at the tiles. */
interface Eye {
  /** Side of a tile in pixels. */
  readonly imageSize: number;
  readonly grid: FeatureGrid;
}

const pairs = z.array(z.tuple([z.int().min(1), z.int().min(1)])).min(1);
const pinpoints = z.union([pairs, z.string()]).nullish();

/** Fields of either layout that say how images are cut. */
export const originalTilingFields = {
  image_aspect_ratio: z.string().nullish(),
  image_grid_pinpoints: z.union([z.array(z.unknown()), z.string()]).nullish(),
  mm_patch_merge_type: z.string().nullish(),
};
const originalFields = z.object({ ...originalTilingFields, image_grid_pinpoints: pinpoints });

/** Model types of Hugging Face that cut images into tiles, with the fields that they have beside LLaVA's. */
export const tiledTypes = {
  llava_next: z.object({
    image_grid_pinpoints: pairs.nullish(),
    use_image_newline_parameter: z.literal(true).nullish(),
  }),
  llava_next_video: z.object({
    image_grid_pinpoints: pairs.nullish(),
    use_image_newline_parameter: z.literal(true).nullish(),
    ...huggingFaceVideoFields,
  }),
  llava_onevision: z.object({
    image_grid_pinpoints: pairs.nullish(),
    use_image_newline_parameter: z.literal(true).nullish(),
    vision_aspect_ratio: z
      .string()
      .regex(/^anyres_max_[1-9]\d*$/, "expected anyres_max_N with a number for N")
      .nullish(),
    ...huggingFaceVideoFields,
  }),
} as const;
export type TiledType = keyof typeof tiledTypes;

/** LLaVA-NeXT's five sizes for tiles of a side, of which each pair's other order is among them too. */
export const fivePinpoints = (side: number): [number, number][] => [
  [side, 2 * side],
  [2 * side, side],
  [2 * side, 2 * side],
  [3 * side, side],
  [side, 3 * side],
];

/** LLaVA-OneVision's 36 sizes: one to six tiles of a side in either direction. */
const thirtySixPinpoints = (side: number): [number, number][] => {
  const sides = [1, 2, 3, 4, 5, 6].map((tiles) => tiles * side);
  return sides.flatMap((first) => sides.map((second): [number, number] => [first, second]));
};

const OV_TILES = 9;

/** As transformers has it: a pinpoint is height and width. */
export function huggingFaceTiling(type: TiledType, json: JsonObject, eye: Eye, where: string): Tiling {
  const fields = checked(tiledTypes[type], json, where);
  const isNext = type !== "llava_onevision";
  const points = fields.image_grid_pinpoints ?? (isNext ? fivePinpoints(336) : thirtySixPinpoints(384));
  const sizes = points.map(([height, width]) => ({ width, height }));
  const merge: FeatureMerge = { order: "unpad", overview: true, rounding: "round" };
  if (isNext) return tilingOf(sizes, merge, eye, where);
  const { vision_aspect_ratio: aspect } = checked(tiledTypes.llava_onevision, json, where);
  const mostTiles = Number(aspect?.slice("anyres_max_".length) ?? OV_TILES);
  return tilingOf(sizes, { ...merge, mostTiles }, eye, where);
}

/**
 * As the original code has it: a pinpoint is width and height. Undefined for a model that sees images as a whole, as "pad"
 * and "square" do whatever the merge type.
 */
export function originalTiling(json: JsonObject, eye: Eye, where: string): Tiling | undefined {
  const fields = checked(originalFields, json, where);
  const merge = mergeOf(fields.mm_patch_merge_type ?? "flat", where);
  const aspect = fields.image_aspect_ratio ?? "square";
  const most = /^anyres(?:_max_(\d+))?$/.exec(aspect);
  if (most === null) {
    if (/^(?:anyres|highres|crop_split)/.test(aspect))
      throw new LlavaError("config", `${where}: image_aspect_ratio "${aspect}" is not supported`, {
        hint: "Known are square, pad, anyres and anyres_max_N with a number for N.",
      });
    return undefined;
  }
  const sizes = originalPinpoints(fields.image_grid_pinpoints, eye.imageSize, where);
  return tilingOf(sizes, { ...merge, ...(most[1] && { mostTiles: Number(most[1]) }) }, eye, where);
}

/** The original code's words for how images are cut and merged. */
export const originalTilingWords = ({ merge: { order, overview, mostTiles } }: Tiling) => ({
  image_aspect_ratio: mostTiles === undefined ? "anyres" : `anyres_max_${mostTiles}`,
  mm_patch_merge_type:
    (order === "flat" || order === "spatial" ? order : `spatial_${order}`) +
    (order === "flat" || overview ? "" : "_nobase"),
});

function mergeOf(type: string, where: string): FeatureMerge {
  const parts = /^(?:flat|spatial(?:_(unpad|maxpool2x2))?)(_nobase)?$/.exec(type);
  if (parts === null)
    throw new LlavaError("config", `${where}: mm_patch_merge_type "${type}" is not supported`, {
      hint: "Known are flat, spatial, spatial_unpad and spatial_maxpool2x2, the last three also with _nobase at the end.",
    });
  const order = type.startsWith("flat")
    ? "flat"
    : ((parts[1] as "unpad" | "maxpool2x2" | undefined) ?? "spatial");
  return { order, overview: order === "flat" || parts[2] === undefined, rounding: "truncate" };
}

/** Pairs, the text of a Python list of them, or "(1x1),...,(6x6)": all of these numbers of tiles. */
function originalPinpoints(stated: z.infer<typeof pinpoints>, side: number, where: string): ImageSize[] {
  if (stated === null || stated === undefined)
    throw new LlavaError(
      "config",
      `${where}: image_aspect_ratio is anyres, but image_grid_pinpoints is missing`,
      {
        hint: "It lists the sizes that images are resized to, as pairs of width and height.",
      },
    );
  const list = typeof stated === "string" ? readPinpoints(stated, side) : stated;
  if (list === undefined)
    throw new LlavaError("config", `${where}: image_grid_pinpoints is ${JSON.stringify(stated)}`, {
      hint: "It is a list of pairs of width and height, or a range of numbers of tiles: (1x1),...,(6x6).",
    });
  return list.map(([width, height]) => ({ width, height }));
}

function readPinpoints(text: string, side: number): z.infer<typeof pairs> | undefined {
  const grids = [...text.matchAll(/\((\d+)x(\d+)\)/g)].map(
    ([, across, down]) => [Number(across), Number(down)] as const,
  );
  if (grids.length > 0) {
    const [[firstAcross, firstDown], [lastAcross, lastDown]] = [grids[0]!, grids.at(-1)!];
    const range = (from: number, to: number) =>
      Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
    const all = range(firstAcross, lastAcross).flatMap((i) =>
      range(firstDown, lastDown).map((j): [number, number] => [i * side, j * side]),
    );
    return pairs.safeParse(all).data;
  }
  try {
    return pairs.safeParse(JSON.parse(text.replaceAll("(", "[").replaceAll(")", "]").replace(/,\s*]/g, "]")))
      .data;
  } catch {
    return undefined;
  }
}

function tilingOf(resolutions: readonly ImageSize[], merge: FeatureMerge, eye: Eye, where: string): Tiling {
  const { imageSize: side, grid } = eye;
  const odd = resolutions.find(({ width, height }) => width % side !== 0 || height % side !== 0);
  if (odd !== undefined)
    throw new LlavaError(
      "config",
      `${where}: image_grid_pinpoints has ${odd.width}×${odd.height}, which tiles of the vision tower's ${side} pixels do not fill`,
      { hint: "config.json and the vision tower are of different models; get both from the same one." },
    );
  if (grid.extra > 0)
    throw new LlavaError(
      "config",
      `${where}: the class token is kept, which has no place among the tiles of AnyRes`,
      {
        hint: 'Set vision_feature_select_strategy to "default", or mm_vision_select_feature to "patch".',
      },
    );
  // Models with a limit of features were trained to see several images whole, one tile each (LLaVA-OneVision).
  return { resolutions, side, merge, ...(merge.mostTiles !== undefined && { several: "padded" }) };
}
