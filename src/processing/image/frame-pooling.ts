import { z } from "zod";
import type { MapSize } from "./feature-map.ts";

/** How a frame's features become fewer. A stride of 1 leaves them as they are. */
export const framePoolingSchema = z.strictObject({
  /** "conv" has weights of its own, and stands before the projector. */
  mode: z.enum(["average", "max", "bilinear", "conv"]),
  stride: z.int().min(1),
  /** Before the projector or after it, whose result is another: it is not linear. */
  place: z.enum(["before", "after"]),
});
export type FramePooling = z.output<typeof framePoolingSchema>;

/** Where an image's newline stands in a video: nowhere, behind it, behind each frame, or behind each row of each frame. */
export const frameNewlines = ["none", "video", "frame", "grid"] as const;
export type FrameNewlines = (typeof frameNewlines)[number];

/** What becomes of the features of a video's frames, which follow each other as they show. */
export interface FrameMerge {
  readonly pooling: FramePooling;
  readonly newlines: FrameNewlines;
}

/** Rows and columns of a frame's features once they are pooled; "bilinear" rounds up, the others leave the rest out. */
export function pooledGrid({ rows, columns }: MapSize, { mode, stride }: FramePooling): MapSize {
  const round = mode === "bilinear" ? Math.ceil : Math.floor;
  return { rows: round(rows / stride), columns: round(columns / stride) };
}
