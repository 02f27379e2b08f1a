import {
  aten,
  empty,
  type Generator,
  isRecording,
  keep,
  linear,
  noGrad,
  scope,
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
  readonly rankStabilized?: boolean | undefined;
  /** Learn the length of each row of the sum apart from its direction (DoRA, arXiv 2402.09353). */
  readonly decomposed?: boolean | undefined;
}

/** Low-rank adaptation (arXiv 2106.09685): scale·B·A·x beside a frozen W·x. Float32, computed in the input's type. */
export class LowRankAdapter extends Module {
  protected override readonly keys = {
    down: "lora_A.weight",
    up: "lora_B.weight",
    magnitude: "lora_magnitude_vector",
  };
  readonly down: Tensor; // A [rank, in]
  readonly up: Tensor; // B [out, rank]
  readonly magnitude: Tensor | undefined; // m [out], of a decomposed one
  readonly #options: LowRankOptions;
  readonly #generator: Generator;
  #fixedGain: Tensor | undefined;

  /**
   * A uniform in ±1/√in, B zero, so that nothing changes at first once `measure` was told the weight of a decomposed one.
   * `generator` draws A, and dropout later.
   */
  constructor([out, width]: readonly [number, number], options: LowRankOptions, generator: Generator) {
    super();
    const { device } = generator;
    const bound = 1 / Math.sqrt(width);
    this.down = keep(aten.uniform_(empty([options.rank, width], { device }), -bound, bound, generator));
    this.up = keep(zeros([out, options.rank], { device }));
    if (options.decomposed) this.magnitude = keep(zeros([out], { device }));
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
    return this.product(this.dropped(input));
  }

  /** scale·B·A·x; [..., in] → [..., out] */
  product(input: Tensor): Tensor {
    const { dtype } = input;
    const narrow = linear(input, this.down.to(dtype)).mul(this.scale); // [..., rank]
    return linear(narrow, this.up.to(dtype));
  }

  /** The input, or where gradients are recorded what dropout leaves of it. */
  dropped(input: Tensor): Tensor {
    const { dropout = 0 } = this.#options;
    if (dropout === 0 || !isRecording()) return input;
    const drawn = empty(input.shape, { dtype: input.dtype, device: this.#generator.device });
    const kept = aten.bernoulli_(drawn, 1 - dropout, this.#generator).toDevice(input.device);
    return input.mul(kept.mul(1 / (1 - dropout)));
  }

  /** Begins with the lengths of the rows of weight + scale·B·A as magnitudes. */
  measure(weight: Tensor): void {
    const norms = noGrad(() => scope(() => rowNorms(this.#sum(weight))));
    this.setParameter("lora_magnitude_vector", norms);
  }

  /**
   * m / ‖weight + scale·B·A‖ of each row, [out]. The lengths of rows are taken for constants in the backward pass (section
   * 4.3 of the paper). `weight` is asked for where it is needed.
   */
  gain(weight: () => Tensor): Tensor {
    if (this.#fixedGain !== undefined) return this.#fixedGain;
    const norms = noGrad(() => scope(() => rowNorms(this.#sum(weight()))));
    return this.magnitude!.div(norms);
  }

  /** Computes the gain of a decomposed adapter once for all: nothing of it changes from now on. */
  fixGain(weight: () => Tensor): void {
    if (this.magnitude !== undefined)
      this.#fixedGain = keep(noGrad(() => scope(() => this.gain(weight).detach())));
  }

  override [Symbol.dispose](): void {
    this.#fixedGain?.dispose();
    super[Symbol.dispose]();
  }

  /** weight + scale·B·A with rows of the learned lengths, in float32 or wider and rounded once: a new tensor. */
  mergedInto(weight: Tensor): Tensor {
    return noGrad(() =>
      scope(() => {
        const sum = this.#sum(weight);
        const merged = this.magnitude === undefined ? sum : sum.mul(this.gain(() => weight).unsqueeze(1));
        return merged.to(weight.dtype);
      }),
    );
  }

  /** weight + scale·B·A, in float32 or wider. */
  #sum(weight: Tensor): Tensor {
    const precise = weight.dtype === "float64" ? "float64" : "float32";
    const product = this.up.to(precise).matmul(this.down.to(precise));
    return product.mul_(this.scale).add_(weight.to(precise));
  }
}

/** The length of each row of a matrix, [rows]. */
const rowNorms = (matrix: Tensor): Tensor => matrix.pow(2).sum([1]).sqrt();
