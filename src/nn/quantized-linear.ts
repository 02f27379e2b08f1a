import { aten, type DType, linear, noGrad, scope, type Tensor } from "../torch/index.ts";
import { Linear } from "./layers.ts";
import { placeholder } from "./module.ts";

/**
 * A linear layer whose weight is kept in 8 bits, symmetric, with a scale for each output: off by at most 1/254 of a row's
 * largest value. Such a weight does not learn; gradients of the input go through it.
 */
export class QuantizedLinear extends Linear {
  /** What a step of the weight is worth, [out]. */
  readonly weightScale: Tensor;

  /** Takes the place of a layer, whose weight is disposed of. */
  constructor({ weight, bias }: Linear) {
    super(weight.size(1), weight.size(0), { bias: bias !== undefined });
    this.weightScale = placeholder([weight.size(0)]);
    const [quantized, scale] = noGrad(() =>
      scope(() => {
        const precise = weight.detach().to("float32");
        const steps = precise.abs().amax([1]).div(INT8_MAX).clamp(SMALLEST_STEP); // of a row of zeros
        const rounded = aten.round(precise.div(steps.unsqueeze(1)));
        return [rounded.clamp(-INT8_MAX, INT8_MAX).to("int8"), steps];
      }),
    );
    this.setParameter("weight", quantized!);
    this.setParameter("weight_scale", scale!);
    if (bias !== undefined) this.setParameter("bias", bias);
    weight.dispose();
  }

  override forward(input: Tensor): Tensor {
    const { dtype } = input;
    const scaled = linear(input, this.weight.to(dtype)).mul(this.weightScale.to(dtype));
    return this.bias === undefined ? scaled : scaled.add(this.bias.to(dtype));
  }

  override decoded(dtype: DType = "float32"): Tensor {
    return this.weight.to(dtype).mul(this.weightScale.to(dtype).unsqueeze(1));
  }
}

const INT8_MAX = 127;
const SMALLEST_STEP = 1e-30;
