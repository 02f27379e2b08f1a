import { aten, type DType, embedding, linear, type Tensor } from "../torch/index.ts";
import { Module, placeholder } from "./module.ts";

// Activations keep their element type through every layer: weights of another one (float32 masters of weights that learn,
// under bfloat16 activations) are converted where they are used, and their gradients arrive in their own type.

/** y = x·Wᵀ + b; x [..., in] → [..., out]. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: Tensor; // [out, in]
  readonly bias: Tensor | undefined; // [out]

  constructor(inFeatures: number, outFeatures: number, options: { bias: boolean }) {
    super();
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = placeholder([outFeatures, inFeatures]);
    if (options.bias) this.bias = placeholder([outFeatures]);
  }

  forward(input: Tensor): Tensor {
    const { dtype } = input;
    return linear(input, this.weight.to(dtype), this.bias?.to(dtype));
  }

  /** W [out, in] in floating point, whatever it is kept in. */
  decoded(dtype: DType = "float32"): Tensor {
    return this.weight.to(dtype);
  }
}

/** Rows of a table by id, in the table's element type; ids [...] → [..., width]. */
export class Embedding extends Module {
  readonly weight: Tensor; // [count, width]

  constructor(count: number, width: number) {
    super();
    this.weight = placeholder([count, width]);
  }

  /** Element type of the rows. */
  get dtype(): DType {
    return this.weight.dtype;
  }

  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }

  /** x·Wᵀ, where the table is the output's as well; x [..., width] → [..., count]. */
  scores(input: Tensor): Tensor {
    return linear(input, this.weight.to(input.dtype));
  }
}

/** x / √(mean(x²) + ε) · w over the last dimension. */
export class RmsNorm extends Module {
  readonly weight: Tensor; // [width]
  readonly epsilon: number;

  constructor(width: number, epsilon: number) {
    super();
    this.weight = placeholder([width]);
    this.epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    return aten.rmsNorm(input, this.weight.to(input.dtype), this.epsilon);
  }

  /** A sum and its norm. */
  ofSum(input: Tensor, other: Tensor): readonly [sum: Tensor, normed: Tensor] {
    const both = aten.addRmsNorm(input, other, this.weight.to(input.dtype), this.epsilon);
    return both as [Tensor, Tensor];
  }
}

/** x / √(mean(x²) + ε) · (1 + w), in float32 whatever the type of x: a sum with 1 would lose w in fewer bits. */
export class RmsNormFromOne extends RmsNorm {
  override forward(input: Tensor): Tensor {
    const scale = this.weight.to("float32").add(1);
    return aten.rmsNorm(input.to("float32"), scale, this.epsilon).to(input.dtype);
  }

  override ofSum(input: Tensor, other: Tensor): readonly [sum: Tensor, normed: Tensor] {
    const sum = input.add(other);
    return [sum, this.forward(sum)];
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
