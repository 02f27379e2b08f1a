import { activations, initializeLinear, Linear, Module } from "../../nn/index.ts";
import type { Generator, Tensor } from "../../torch/index.ts";
import type { ProjectorConfig } from "./projector-config.ts";

/** Vision features into the language model's embedding space: one linear layer, or several with an activation between. */
export class Projector extends Module {
  protected override readonly keys = { layers: "linear_#" };
  readonly layers: readonly Linear[];
  readonly #act: (x: Tensor) => Tensor;

  /** `sizes`: width of the features and of the language model, and of the layers between (the latter's by default). */
  constructor(config: ProjectorConfig, sizes: { in: number; out: number; hidden?: number }) {
    super();
    const { depth, bias } = config;
    const widths = [
      sizes.in,
      ...Array<number>(Math.max(depth - 1, 0)).fill(sizes.hidden ?? sizes.out),
      sizes.out,
    ];
    this.layers = Array.from({ length: depth }, (_, i) => new Linear(widths[i]!, widths[i + 1]!, { bias }));
    this.#act = activations[config.act];
  }

  /** [..., in] → [..., out] */
  forward(features: Tensor): Tensor {
    return this.layers.reduce((x, layer, i) => layer.forward(i === 0 ? x : this.#act(x)), features);
  }

  initialize(generator: Generator): this {
    for (const layer of this.layers) initializeLinear(layer, generator);
    return this;
  }
}
