import { ignoreLabel } from "../../processing/conversation/index.ts";
import type { ImageLayout } from "../../processing/image/index.ts";
import { longTensor, type Tensor } from "../../torch/index.ts";
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

/** Text of two tokens of which none is trained: loss and gradients are 0. */
export function idleBatch(device: string): RowBatch {
  const tensors = {
    inputIds: longTensor([0, 0], [1, 2]),
    positions: longTensor([0, 1], [1, 2]),
    supervised: longTensor([0]),
    targets: longTensor([ignoreLabel]),
  };
  const placed = Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, tensor.toDevice(device)]),
  ) as typeof tensors;
  return {
    ...placed,
    ...{ images: undefined, layouts: [], attention: { blocks: [{ length: 2 }] } },
    ...{ units: 0, tokens: 0, samples: [], origins: [], owners: new Int32Array() },
    [Symbol.dispose]: () => {
      for (const tensor of Object.values(placed)) tensor.dispose();
    },
  };
}
