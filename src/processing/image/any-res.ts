import { z } from "zod";

const side = z.int().min(1);

/** A way of cutting images into tiles, for a model that is to learn it. */
export const anyResSchema = z.strictObject({
  /** Sizes that images are resized to before they are cut: pairs of width and height, or "(1x1),...,(2x2)" in tiles. */
  pinpoints: z.union([z.array(z.tuple([side, side])).min(1), z.string().min(1)]).optional(),
  /** Above so many tiles, the features of an image are shrunk to about that number. */
  maxTiles: side.optional(),
  /** What becomes of the tiles' features, as `mm_patch_merge_type` of the original code says it. */
  mergeType: z.string().default("spatial_unpad"),
});
export type AnyRes = z.output<typeof anyResSchema>;
