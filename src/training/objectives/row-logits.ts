import type { Llava, TowerOptions } from "../../models/index.ts";
import { ActivationCheckpoints, freeing } from "../../nn/index.ts";
import { backward, type Generator, type Tensor } from "../../torch/index.ts";
import type { RowBatch } from "../batches/row-batch.ts";

/** What a batch holds of N images → features of the tower [N, tokens, C]. */
type EncodeImages = (images: Tensor, options: TowerOptions) => Tensor;

/** What a model predicts where the rows of a batch are trained. */
export class RowLogits {
  readonly #model: Llava;
  readonly #encodeImages: EncodeImages;
  readonly #checkpoints: ActivationCheckpoints | undefined;

  /**
   * `encodeImages`: what a batch holds of N images → features of the tower [N, tokens, C]. With `recompute`, activations
   * inside the layers of the language model, and of a tower that learns, are computed again in the backward pass; its
   * generators are those of dropout.
   */
  constructor(
    model: Llava,
    encodeImages: EncodeImages,
    { recompute }: { recompute?: readonly Generator[] } = {},
  ) {
    this.#model = model;
    this.#encodeImages = encodeImages;
    this.#checkpoints = recompute && new ActivationCheckpoints(recompute);
  }

  /** Adds the gradients of a number that was computed from `of`. */
  backward(loss: Tensor): void {
    if (this.#checkpoints) this.#checkpoints.backward(loss);
    else backward([loss]);
  }

  /** float32 [S, vocab], one for each target. */
  of({ images, layouts, inputIds, positions, attention, supervised }: RowBatch): Tensor {
    const { languageModel } = this.#model;
    const runLayer = this.#checkpoints?.run ?? freeing;
    const features = images && this.#encodeImages(images, { runLayer });
    const inputs = this.#model.embed(inputIds, features && { features, layouts }); // [R, T, D]
    const hidden = languageModel.forward(inputs, {
      positions,
      attention,
      runLayer,
    }); // [R, T, D]
    // Only the positions that predict something go through the vocabulary, the largest matrix of a small model.
    return languageModel.logits(hidden.flatten(0, 1).indexSelect(0, supervised)).to("float32");
  }
}
