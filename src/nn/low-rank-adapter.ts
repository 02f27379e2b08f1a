import {
  aten,
  empty,
  type Generator,
  isRecording,
  keep,
  linear,
  noGrad,
  type Tensor,
  zeros,
} from "../torch/index.ts";
import { Module } from "./module.ts";

export interface LowRankOptions {
  readonly rank: number;
  /** The product is scaled by alpha / rank. */
  readonly alpha: number;
  /** Probability that an input of the product is zeroed, where gradients are recorded; 0. */
  readonly dropout?: number;
  /** Scale by alpha / √rank (arXiv 2312.03732). */
  readonly rankStabilized?: boolean;
}

/** Low-rank adaptation (arXiv 2106.09685): scale·B·A·x beside a frozen W·x. Float32, computed in the input's type. */
export class LowRankAdapter extends Module {
  protected override readonly keys = { down: "lora_A.weight", up: "lora_B.weight" };
  readonly down: Tensor; // A [rank, in]
  readonly up: Tensor; // B [out, rank]
  readonly #options: LowRankOptions;
  readonly #generator: Generator;

  /** A uniform in ±1/√in, B zero, so that nothing changes at first. `generator` draws A, and dropout later. */
  constructor([out, width]: readonly [number, number], options: LowRankOptions, generator: Generator) {
    super();
    const { device } = generator;
    const bound = 1 / Math.sqrt(width);
    this.down = keep(aten.uniform_(empty([options.rank, width], { device }), -bound, bound, generator));
    this.up = keep(zeros([out, options.rank], { device }));
    this.#options = options;
    this.#generator = generator;
  }

  get options(): LowRankOptions {
    return this.#options;
  }
  get scale(): number {
    const { alpha, rank, rankStabilized } = this.#options;
    return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
  }

  /** [..., in] → [..., out] */
  forward(input: Tensor): Tensor {
    const { dtype } = input;
    const narrow = linear(this.#dropped(input), this.down.to(dtype)).mul(this.scale); // [..., rank]
    return linear(narrow, this.up.to(dtype));
  }

  #dropped(input: Tensor): Tensor {
    const { dropout = 0 } = this.#options;
    if (dropout === 0 || !isRecording()) return input;
    const drawn = empty(input.shape, { dtype: input.dtype, device: this.#generator.device });
    const kept = aten.bernoulli_(drawn, 1 - dropout, this.#generator).toDevice(input.device);
    return input.mul(kept.mul(1 / (1 - dropout)));
  }

  /** weight + scale·B·A, added in float32 or wider and rounded once: a new tensor. */
  mergedInto(weight: Tensor): Tensor {
    return noGrad(() => {
      const precise = weight.dtype === "float64" ? "float64" : "float32";
      const product = this.up.to(precise).matmul(this.down.to(precise));
      return weight.to(precise).add(product.mul(this.scale)).to(weight.dtype);
    });
  }
}
