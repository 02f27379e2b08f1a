import type { DType, Tensor } from "../torch/index.ts";
import type { Linear } from "./layers.ts";
import type { LowRankAdapter } from "./low-rank-adapter.ts";
import { Module } from "./module.ts";

/** A linear layer, whose parameters keep their names, plus what an adapter adds; x [..., in] → [..., out]. */
export class AdaptedLinear extends Module implements Linear {
  protected override readonly keys = { base: "" };
  readonly base: Linear;
  readonly adapter: LowRankAdapter;
  /** Whether the layer is its base alone for now. */
  isOff = false;

  constructor(base: Linear, adapter: LowRankAdapter) {
    super();
    this.base = base;
    this.adapter = adapter;
  }

  get inFeatures(): number {
    return this.base.inFeatures;
  }
  get outFeatures(): number {
    return this.base.outFeatures;
  }
  get weight(): Tensor {
    return this.base.weight;
  }
  get bias(): Tensor | undefined {
    return this.base.bias;
  }

  forward(input: Tensor): Tensor {
    if (this.isOff) return this.base.forward(input);
    const { base, adapter } = this;
    const whole = base.forward(input);
    if (adapter.magnitude === undefined) return whole.add(adapter.forward(input));
    const { dtype } = input;
    const gain = adapter.gain(() => base.decoded(adapter.up.dtype)).to(dtype);
    const dropped = adapter.dropped(input);
    // As PEFT has it: dropout leaves the base's own part whole, and thins only what is added to it.
    const seen = dropped === input ? whole : base.forward(dropped);
    const plain = base.bias === undefined ? seen : seen.sub(base.bias.to(dtype));
    return whole.add(plain.mul(gain.sub(1))).add(adapter.product(dropped).mul(gain));
  }

  decoded(dtype: DType = "float32"): Tensor {
    return this.base.decoded(dtype);
  }
}
