import type { LlavaRow } from "../../protocol/index.ts";

/** Its words and, for each image or video, 128 more: the length by which the original code puts rows of a kind together. */
export const lengthOfRow = (row: LlavaRow): number =>
  row.conversations.reduce((sum, { value }) => sum + (value.match(/\S+/g)?.length ?? 0), 0) +
  128 * row.images.length;
