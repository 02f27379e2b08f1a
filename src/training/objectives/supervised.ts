import type { Llava } from "../../models/index.ts";
import { crossEntropy, type Tensor } from "../../torch/index.ts";
import type { PackedBatch } from "../packing.ts";
import type { Batch, Objective } from "./objective.ts";

export interface SupervisedBatch extends Batch, Pick<PackedBatch, "inputIds" | "positions" | "mask"> {
  /** What `ImageInputs.load` gave, [N, …] in the order of the image placeholders; undefined for text alone. */
  readonly images: Tensor | undefined;
  /** int64 [S]: which of the hidden states, rows end to end, predict `targets`, int64 [S]. */
  readonly supervised: Tensor;
  readonly targets: Tensor;
}

/**
 * −log p(answer | images, everything before it), over the ids of all answers (arXiv 2304.08485, equation 2). With the
 * plain template it is feature alignment, with a conversation template instruction tuning.
 */
export class SupervisedObjective implements Objective<SupervisedBatch> {
  readonly #model: Llava;
  readonly #encodeImages: (images: Tensor) => Tensor;

  /** `encodeImages`: what a batch holds of N images → features of the tower [N, tokens, C]. */
  constructor(model: Llava, encodeImages: (images: Tensor) => Tensor) {
    this.#model = model;
    this.#encodeImages = encodeImages;
  }

  loss({ images, inputIds, positions, mask, supervised, targets }: SupervisedBatch): Tensor {
    const { languageModel } = this.#model;
    const inputs = images // [R, T, D]
      ? this.#model.spliceImages(inputIds, this.#model.project(this.#encodeImages(images)))
      : languageModel.embed(inputIds);
    const hidden = languageModel.forward(inputs, { positions, attention: { mask } }); // [R, T, D]
    // Only the positions that predict something go through the vocabulary, the largest matrix of a small model.
    const logits = languageModel.logits(hidden.flatten(0, 1).indexSelect(0, supervised)); // [S, vocab]
    return crossEntropy(logits.to("float32"), targets, "sum");
  }
}
