import { crossEntropy, noGrad, scope, type Tensor } from "../../../torch/index.ts";
import { idleBatch, type RowBatch } from "../../batches/row-batch.ts";
import type { Objective } from "../objective.ts";
import { RowLogits } from "../row-logits.ts";

/**
 * −log p(answer | images, everything before it), over the ids of all answers (arXiv 2304.08485, equation 2). With the
 * plain template it is feature alignment, with a conversation template instruction tuning.
 */
export class SupervisedObjective implements Objective<RowBatch> {
  readonly #logits: RowLogits;

  /** The parameters are those of `RowLogits`. */
  constructor(...parameters: ConstructorParameters<typeof RowLogits>) {
    this.#logits = new RowLogits(...parameters);
  }

  backward(scaledLoss: Tensor): void {
    this.#logits.backward(scaledLoss);
  }

  loss(batch: RowBatch): Tensor {
    return crossEntropy(this.#logits.of(batch), batch.targets, "sum");
  }

  idle(): RowBatch {
    return idleBatch(this.#logits.device);
  }

  suspects(batch: RowBatch): readonly string[] {
    const { owners, targets, samples } = batch;
    const losses = scope(() =>
      noGrad(() => crossEntropy(this.#logits.of(batch), targets, "none").toNumbers()),
    );
    const suspects = new Set([...owners].filter((_, at) => !Number.isFinite(losses[at])));
    return suspects.size > 0 ? [...suspects].map((owner) => samples[owner]!) : samples;
  }
}
