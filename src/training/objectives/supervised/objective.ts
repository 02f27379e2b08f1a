import type { Llava, TowerOptions } from "../../../models/index.ts";
import { ActivationCheckpoints, freeing } from "../../../nn/index.ts";
import { backward, crossEntropy, type Generator, noGrad, scope, type Tensor } from "../../../torch/index.ts";
import type { RowBatch } from "../../batches/row-batch.ts";
import type { Objective } from "../objective.ts";

/** What a batch holds of N images → features of the tower [N, tokens, C]. */
type EncodeImages = (images: Tensor, options: TowerOptions) => Tensor;

/**
 * −log p(answer | images, everything before it), over the ids of all answers (arXiv 2304.08485, equation 2). With the
 * plain template it is feature alignment, with a conversation template instruction tuning.
 */
export class SupervisedObjective implements Objective<RowBatch> {
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

  backward(scaledLoss: Tensor): void {
    if (this.#checkpoints) this.#checkpoints.backward(scaledLoss);
    else backward([scaledLoss]);
  }

  loss(batch: RowBatch): Tensor {
    return crossEntropy(this.#logits(batch), batch.targets, "sum");
  }

  suspects(batch: RowBatch): readonly string[] {
    const { owners, targets, samples } = batch;
    const losses = scope(() => noGrad(() => crossEntropy(this.#logits(batch), targets, "none").toNumbers()));
    const suspects = new Set([...owners].filter((_, at) => !Number.isFinite(losses[at])));
    return suspects.size > 0 ? [...suspects].map((owner) => samples[owner]!) : samples;
  }

  /** float32 [S, vocab] */
  #logits({ images, layouts, inputIds, positions, attention, supervised }: RowBatch): Tensor {
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
