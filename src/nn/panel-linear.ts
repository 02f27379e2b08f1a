import { arange, aten, type DType, isRecording, linear, type Tensor } from "../torch/index.ts";
import { Embedding, Linear } from "./layers.ts";

/** How a weight lies in panels: see native/src/panels.cc. */
export interface Panels {
  readonly panels: Tensor;
  readonly dtype: DType;
}

/**
 * y = x·Wᵀ + b of a W in panels of sixteen outputs, which rows pass over as memory is read best; x [..., in] → [..., out] of W's
 * own element type, on the CPU. A row has the same bits whatever rows are beside it. Such a weight does not learn; gradients of
 * the input go through it.
 */
export class PanelLinear extends Linear {
  readonly #dtype: DType;

  /** A layer with panels in the place of its weight, which is left as it is; the bias is the layer's own. */
  constructor({ inFeatures, outFeatures, bias }: Linear, { panels, dtype }: Panels) {
    super(inFeatures, outFeatures, { bias: bias !== undefined });
    this.#dtype = dtype;
    this.setParameter("weight", panels);
    if (bias !== undefined) this.setParameter("bias", bias);
  }

  override forward(input: Tensor): Tensor {
    return project(input, [this])[0]!;
  }

  override decoded(dtype: DType = "float32"): Tensor {
    const { weight, inFeatures, outFeatures } = this;
    return aten.rowsOfPanels(weight, arange(0, outFeatures), inFeatures, this.#dtype).to(dtype);
  }
}

/** A table of rows in panels (see `PanelLinear`), which gives the vocabulary's scores as well. */
export class PanelEmbedding extends Embedding {
  readonly #count: number;
  readonly #width: number;
  readonly #dtype: DType;

  constructor({ weight }: Embedding, { panels, dtype }: Panels) {
    const [count, width] = weight.shape as [number, number];
    super(count, width);
    this.#count = count;
    this.#width = width;
    this.#dtype = dtype;
    this.setParameter("weight", panels);
  }

  override get dtype(): DType {
    return this.#dtype;
  }

  override forward(ids: Tensor): Tensor {
    const rows = aten.rowsOfPanels(this.weight, ids.flatten(), this.#width, this.#dtype);
    return rows.reshape([...ids.shape, this.#width]);
  }

  override scores(input: Tensor): Tensor {
    return aten.linearsOfPanels(input, [this.weight], [this.#count], [])[0]!;
  }
}

/** What several layers make of one input: of weights in panels in one go. */
export function project(input: Tensor, layers: readonly Linear[]): Tensor[] {
  if (!layers.every((layer) => layer instanceof PanelLinear))
    return layers.map((layer) => layer.forward(input));
  if (isRecording() && input.requiresGrad)
    return layers.map((layer) => linear(input, layer.decoded(input.dtype), layer.bias?.to(input.dtype)));
  const biases = layers.flatMap(({ bias }) => bias ?? []);
  const isOne = biases.length === 0 || biases.length === layers.length;
  if (!isOne) return layers.flatMap((layer) => project(input, [layer]));
  return aten.linearsOfPanels(
    input,
    layers.map(({ weight }) => weight),
    layers.map(({ outFeatures }) => outFeatures),
    biases,
  );
}
