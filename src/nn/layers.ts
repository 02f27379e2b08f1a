import { aten, embedding, keep, linear, noGrad, scope, type Tensor } from "../torch/index.ts";
import type { LowRankAdapter } from "./low-rank-adapter.ts";
import { Module, placeholder } from "./module.ts";

// Activations keep their element type through every layer: weights of another one (float32 masters of weights that learn,
// under bfloat16 activations) are converted where they are used, and their gradients arrive in their own type.

/** y = x·Wᵀ + b, plus what an adapter adds; x [..., in] → [..., out]. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: Tensor; // [out, in]
  /** What a step of a weight in 8 bits is worth, [out]; undefined for weights in floating point. */
  weightScale: Tensor | undefined = undefined;
  readonly bias?: Tensor; // [out]
  adapter: LowRankAdapter | undefined = undefined;

  constructor(inFeatures: number, outFeatures: number, options: { bias: boolean }) {
    super();
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = placeholder([outFeatures, inFeatures]);
    if (options.bias) this.bias = placeholder([outFeatures]);
  }

  forward(input: Tensor): Tensor {
    const output = this.product(input);
    return this.adapter === undefined ? output : output.add(this.adapter.forward(input));
  }

  /** x·Wᵀ + b, without the adapter. */
  protected product(input: Tensor): Tensor {
    const { dtype } = input;
    const { weight, weightScale, bias } = this;
    if (weightScale === undefined) return linear(input, weight.to(dtype), bias?.to(dtype));
    const scaled = linear(input, weight.to(dtype)).mul(weightScale.to(dtype));
    return bias === undefined ? scaled : scaled.add(bias.to(dtype));
  }

  /**
   * Keeps the weight in 8 bits from now on, symmetric, with a scale for each output: off by at most 1/254 of a row's
   * largest value. Such a weight does not learn; gradients of the input go through it.
   */
  quantize(): void {
    const { weight } = this;
    if (this.weightScale !== undefined) return;
    const [quantized, scale] = noGrad(() =>
      scope(() => {
        const precise = weight.detach().to("float32");
        const steps = precise.abs().amax([1]).div(INT8_MAX).clamp(SMALLEST_STEP); // of a row of zeros
        const rounded = aten.round(precise.div(steps.unsqueeze(1)));
        return [rounded.clamp(-INT8_MAX, INT8_MAX).to("int8"), steps];
      }),
    );
    this.setParameter("weight", quantized!);
    this.weightScale = keep(scale!);
  }
}

const INT8_MAX = 127;
const SMALLEST_STEP = 1e-30;

/** Rows of a table by id, in the table's element type; ids [...] → [..., width]. */
export class Embedding extends Module {
  readonly weight: Tensor; // [count, width]

  constructor(count: number, width: number) {
    super();
    this.weight = placeholder([count, width]);
  }

  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}

/** x / √(mean(x²) + ε) · w over the last dimension. */
export class RmsNorm extends Module {
  readonly weight: Tensor; // [width]
  readonly #epsilon: number;

  constructor(width: number, epsilon: number) {
    super();
    this.weight = placeholder([width]);
    this.#epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    return aten.rmsNorm(input, this.weight.shape, this.weight.to(input.dtype), this.#epsilon);
  }
}

/** (x − mean) / √(var + ε) · w + b over the last dimension. */
export class LayerNorm extends Module {
  readonly weight: Tensor; // [width]
  readonly bias: Tensor; // [width]
  readonly #epsilon: number;

  constructor(width: number, epsilon: number) {
    super();
    this.weight = placeholder([width]);
    this.bias = placeholder([width]);
    this.#epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    const { dtype } = input;
    const { weight, bias } = this;
    return aten.layerNorm(input, weight.shape, weight.to(dtype), bias.to(dtype), this.#epsilon);
  }
}
