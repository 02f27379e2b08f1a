import type { PackedBatch } from "../../data/index.ts";
import type { Llava } from "../../models/index.ts";
import { crossEntropy, type Tensor } from "../../torch/index.ts";
import type { Batch, Objective } from "./objective.ts";

export interface CaptionBatch extends Batch, Pick<PackedBatch, "inputIds" | "positions" | "mask"> {
  /** Of the frozen tower, [N, tokens, C], in the order of the image placeholders. */
  readonly features: Tensor;
  /** int64 [S]: which of the hidden states, rows end to end, predict `targets`, int64 [S]. */
  readonly supervised: Tensor;
  readonly targets: Tensor;
}

/** Stage 1, feature alignment (arXiv 2304.08485, section 4.2): −log p(caption | image), no question, no system text. */
export class CaptionObjective implements Objective<CaptionBatch> {
  readonly #model: Llava;

  constructor(model: Llava) {
    this.#model = model;
  }

  loss({ features, inputIds, positions, mask, supervised, targets }: CaptionBatch): Tensor {
    const { languageModel } = this.#model;
    const inputs = this.#model.spliceImages(inputIds, this.#model.project(features)); // [R, T, D]
    const hidden = languageModel.forward(inputs, { positions, attention: { mask } }); // [R, T, D]
    // Only the positions that predict something go through the vocabulary, the largest matrix of a small model.
    const logits = languageModel.logits(hidden.flatten(0, 1).indexSelect(0, supervised)); // [S, vocab]
    return crossEntropy(logits.to("float32"), targets, "sum");
  }
}
