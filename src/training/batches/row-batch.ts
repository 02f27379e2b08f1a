import type { ImageLayout } from "../../processing/image/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { Batch } from "../objectives/objective.ts";
import type { PackedBatch } from "./packing.ts";

/** Rows packed side by side, with what the model sees of their images. */
export interface RowBatch
  extends Batch,
    Pick<PackedBatch, "inputIds" | "positions" | "attention" | "supervised" | "targets"> {
  /** What `ImageInputs.load` gave, [tiles, …] in the order of the image placeholders; undefined for text alone. */
  readonly images: Tensor | undefined;
  /** How the images were cut into these tiles. */
  readonly layouts: readonly ImageLayout[];
  /** For each target but the padding, which of `samples` it is from: an index. */
  readonly owners: Int32Array;
  /** For each of `samples`, where its row was read: a file and a place in it. */
  readonly origins: readonly string[];
}
