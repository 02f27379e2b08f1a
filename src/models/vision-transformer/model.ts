import { activations, attend, LayerNorm, Linear, Module, placeholder } from "../../nn/index.ts";
import type { FeatureGrid } from "../../processing/image/index.ts";
import { aten, cat, type Tensor } from "../../torch/index.ts";
import {
  type FeatureSelection,
  type SegmentedForward,
  type TowerOptions,
  throughSegments,
  type VisionTower,
} from "../vision-tower.ts";
import type { VisionTransformerConfig } from "./config.ts";

/** A convolution whose stride is its kernel: one vector for each patch. */
export class PatchEmbedding extends Module {
  readonly weight: Tensor; // [D, channels, patch, patch]
  readonly bias: Tensor | undefined; // [D]
  readonly #patch: number;

  constructor({ hiddenSize, numChannels, patchSize }: VisionTransformerConfig, options: { bias: boolean }) {
    super();
    this.weight = placeholder([hiddenSize, numChannels, patchSize, patchSize]);
    if (options.bias) this.bias = placeholder([hiddenSize]);
    this.#patch = patchSize;
  }

  forward(pixelValues: Tensor): Tensor {
    const { dtype } = pixelValues;
    const stride = [this.#patch, this.#patch];
    const grid = aten.conv2d(pixelValues, this.weight.to(dtype), this.bias?.to(dtype), stride); // [N, D, h, w]
    return grid.flatten(2).transpose(1, 2); // [N, h·w, D]
  }
}

class VisionAttention extends Module {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly outProj: Linear;
  readonly #heads: number;

  constructor({ hiddenSize, numHeads }: VisionTransformerConfig) {
    super();
    const square = () => new Linear(hiddenSize, hiddenSize, { bias: true });
    this.qProj = square();
    this.kProj = square();
    this.vProj = square();
    this.outProj = square();
    this.#heads = numHeads;
  }

  forward(hidden: Tensor): Tensor {
    const [images, length] = hidden.shape as [number, number, number];
    const heads = (x: Tensor) => x.view([images, length, this.#heads, -1]).transpose(1, 2); // [N, H, T, d]
    const [query, key, value] = [this.qProj, this.kProj, this.vProj].map((p) => heads(p.forward(hidden)));
    return this.outProj.forward(attend(query!, key!, value!, { mask: undefined }));
  }
}

class VisionMlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly #act: (x: Tensor) => Tensor;

  constructor({ hiddenSize, intermediateSize, hiddenAct }: VisionTransformerConfig) {
    super();
    this.fc1 = new Linear(hiddenSize, intermediateSize, { bias: true });
    this.fc2 = new Linear(intermediateSize, hiddenSize, { bias: true });
    this.#act = activations[hiddenAct];
  }

  forward(hidden: Tensor): Tensor {
    return this.fc2.forward(this.#act(this.fc1.forward(hidden)));
  }
}

class VisionLayer extends Module {
  readonly layerNorm1: LayerNorm;
  readonly selfAttn: VisionAttention;
  readonly layerNorm2: LayerNorm;
  readonly mlp: VisionMlp;

  constructor(config: VisionTransformerConfig) {
    super();
    this.layerNorm1 = new LayerNorm(config.hiddenSize, config.layerNormEps);
    this.selfAttn = new VisionAttention(config);
    this.layerNorm2 = new LayerNorm(config.hiddenSize, config.layerNormEps);
    this.mlp = new VisionMlp(config);
  }

  forward(hidden: Tensor): Tensor {
    const attended = hidden.add(this.selfAttn.forward(this.layerNorm1.forward(hidden)));
    return attended.add(this.mlp.forward(this.layerNorm2.forward(attended)));
  }
}

export class VisionEncoder extends Module {
  readonly layers: readonly VisionLayer[];

  constructor(config: VisionTransformerConfig, layers: number) {
    super();
    this.layers = Array.from({ length: layers }, () => new VisionLayer(config));
  }
}

/** A vision transformer, run only up to the deepest layer whose features are wanted; no norm follows it. */
export abstract class VisionTransformer extends Module implements VisionTower {
  abstract readonly encoder: VisionEncoder;
  readonly hiddenSize: number;
  readonly grid: FeatureGrid;
  readonly #features: readonly number[]; // indices from 0, the embeddings

  constructor(config: VisionTransformerConfig, { featureLayers }: FeatureSelection, grid: FeatureGrid) {
    super();
    const states = config.numLayers + 1;
    this.#features = featureLayers.map((layer) => (layer < 0 ? states + layer : layer));
    this.hiddenSize = config.hiddenSize * this.#features.length;
    this.grid = grid;
  }

  /** The layers that the wanted features need. */
  protected newEncoder(config: VisionTransformerConfig): VisionEncoder {
    return new VisionEncoder(config, Math.max(...this.#features));
  }

  /** pixel values [N, 3, H, W] → [N, tokens, D], what the first layer is given */
  protected abstract embed(pixelValues: Tensor): Tensor;

  /** What is taken of the states that are wanted: [N, tokens, C] → [N, rows of the grid, C] */
  protected select(features: Tensor): Tensor {
    return features;
  }

  /** Others train and store all layers. */
  get unused(): readonly RegExp[] {
    const kept = this.encoder.layers.map((_, layer) => layer).join("|");
    return [/^(?:post_layernorm|head)\./, new RegExp(`^encoder\\.layers\\.(?!(?:${kept})\\.)`)];
  }

  get layers(): readonly Module[] {
    return this.encoder.layers;
  }

  forward(pixelValues: Tensor, options?: TowerOptions): Tensor {
    return throughSegments((tiles) => this.segments(tiles), pixelValues, options);
  }

  *segments(pixelValues: Tensor): SegmentedForward {
    const states = [yield { run: (pixels) => this.embed(pixels), input: pixelValues }]; // each [N, tokens, D]
    for (const layer of this.encoder.layers)
      states.push(yield { run: (hidden) => layer.forward(hidden), input: states.at(-1)!, layer });
    const selected = this.#features.map((index) => states[index]!);
    return this.select(selected.length === 1 ? selected[0]! : cat(selected, -1));
  }
}
