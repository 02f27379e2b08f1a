import type { Llava, TowerOptions } from "../../models/index.ts";
import type { ActivationCheckpoints } from "../../nn/index.ts";
import { backward, type Tensor } from "../../torch/index.ts";
import type { RowBatch } from "../batches/row-batch.ts";

/** What a batch holds of N images → features of the tower [N, tokens, C]. */
type EncodeImages = (images: Tensor, options: TowerOptions) => Tensor;

/** What a model predicts where the rows of a batch are trained. */
export class RowLogits {
  readonly #model: Llava;
  readonly #encodeImages: EncodeImages;
  readonly #checkpoints: ActivationCheckpoints | undefined;

  /**
   * `encodeImages`: what a batch holds of N images → features of the tower [N, tokens, C]. `checkpoints` run the layers of the
   * language model, and of a tower that learns.
   */
  constructor(model: Llava, encodeImages: EncodeImages, checkpoints?: ActivationCheckpoints) {
    this.#model = model;
    this.#encodeImages = encodeImages;
    this.#checkpoints = checkpoints;
  }

  /** Where it computes. */
  get device(): string {
    return this.#checkpoints?.device ?? this.#model.languageModel.device;
  }

  /** Adds the gradients of a number that was computed from `of`. */
  backward(loss: Tensor): void {
    if (this.#checkpoints) this.#checkpoints.backward(loss);
    else backward([loss]);
  }

  /** Nothing computed so far will be gone back through. */
  forget(): void {
    this.#checkpoints?.forget();
  }

  /** Without images a tower that learns in parts is gone through all the same: others may have some. */
  #features(images: Tensor | undefined): Tensor | undefined {
    const { run: runLayer, runEach } = this.#checkpoints ?? {};
    if (images) return this.#encodeImages(images, { runLayer, runEach });
    for (const layer of this.#model.visionTower.layers ?? []) runEach?.((hidden) => hidden, [], layer);
    return undefined;
  }

  /** float32 [S, vocab], one for each target. */
  of({ images, layouts, inputIds, positions, attention, supervised }: RowBatch): Tensor {
    const { languageModel } = this.#model;
    this.#checkpoints?.begin();
    const runLayer = this.#checkpoints?.run;
    const features = this.#features(images);
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
