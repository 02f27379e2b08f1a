import type { Tensor } from "../torch/index.ts";
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
    return this.base.forward(input).add(this.adapter.forward(input));
  }
}
