import {
  activations,
  attend,
  Embedding,
  freeing,
  LayerNorm,
  Linear,
  Module,
  placeholder,
} from "../../nn/index.ts";
import type { FeatureGrid } from "../../processing/image/index.ts";
import { aten, cat, type Tensor } from "../../torch/index.ts";
import type { FeatureSelection, TowerOptions, VisionTower } from "../vision-tower.ts";
import { type ClipVisionConfig, gridOf } from "./config.ts";

/** A convolution whose stride is its kernel: one vector for each patch. */
class PatchEmbedding extends Module {
  readonly weight: Tensor; // [D, channels, patch, patch]
  readonly #patch: number;

  constructor({ hiddenSize, numChannels, patchSize }: ClipVisionConfig) {
    super();
    this.weight = placeholder([hiddenSize, numChannels, patchSize, patchSize]);
    this.#patch = patchSize;
  }

  forward(pixelValues: Tensor): Tensor {
    const weight = this.weight.to(pixelValues.dtype);
    const grid = aten.conv2d(pixelValues, weight, undefined, [this.#patch, this.#patch]); // [N, D, h, w]
    return grid.flatten(2).transpose(1, 2); // [N, h·w, D]
  }
}

class ClipEmbeddings extends Module {
  readonly classEmbedding: Tensor; // [D]
  readonly patchEmbedding: PatchEmbedding;
  readonly positionEmbedding: Embedding; // [1 + h·w, D]

  constructor(config: ClipVisionConfig) {
    super();
    const { rows, columns } = gridOf(config, "full");
    this.classEmbedding = placeholder([config.hiddenSize]);
    this.patchEmbedding = new PatchEmbedding(config);
    this.positionEmbedding = new Embedding(1 + rows * columns, config.hiddenSize);
  }

  forward(pixelValues: Tensor): Tensor {
    const patches = this.patchEmbedding.forward(pixelValues);
    const [images, , width] = patches.shape as [number, number, number];
    const first = this.classEmbedding.to(patches.dtype).expand([images, 1, width]);
    return cat([first, patches], 1).add(this.positionEmbedding.weight.to(patches.dtype)); // [N, 1 + h·w, D]
  }
}

class ClipAttention extends Module {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly outProj: Linear;
  readonly #heads: number;

  constructor({ hiddenSize, numHeads }: ClipVisionConfig) {
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

class ClipMlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly #act: (x: Tensor) => Tensor;

  constructor({ hiddenSize, intermediateSize, hiddenAct }: ClipVisionConfig) {
    super();
    this.fc1 = new Linear(hiddenSize, intermediateSize, { bias: true });
    this.fc2 = new Linear(intermediateSize, hiddenSize, { bias: true });
    this.#act = activations[hiddenAct];
  }

  forward(hidden: Tensor): Tensor {
    return this.fc2.forward(this.#act(this.fc1.forward(hidden)));
  }
}

class ClipLayer extends Module {
  readonly layerNorm1: LayerNorm;
  readonly selfAttn: ClipAttention;
  readonly layerNorm2: LayerNorm;
  readonly mlp: ClipMlp;

  constructor(config: ClipVisionConfig) {
    super();
    this.layerNorm1 = new LayerNorm(config.hiddenSize, config.layerNormEps);
    this.selfAttn = new ClipAttention(config);
    this.layerNorm2 = new LayerNorm(config.hiddenSize, config.layerNormEps);
    this.mlp = new ClipMlp(config);
  }

  forward(hidden: Tensor): Tensor {
    const attended = hidden.add(this.selfAttn.forward(this.layerNorm1.forward(hidden)));
    return attended.add(this.mlp.forward(this.layerNorm2.forward(attended)));
  }
}

class ClipEncoder extends Module {
  readonly layers: readonly ClipLayer[];

  constructor(config: ClipVisionConfig, layers: number) {
    super();
    this.layers = Array.from({ length: layers }, () => new ClipLayer(config));
  }
}

/** CLIP's vision transformer (arXiv 2103.00020), run only up to the deepest layer whose features are wanted. */
export class ClipVisionTower extends Module implements VisionTower {
  readonly embeddings: ClipEmbeddings;
  readonly preLayrnorm: LayerNorm; // the checkpoints' spelling
  readonly encoder: ClipEncoder;
  readonly #features: readonly number[]; // indices from 0, the embeddings
  readonly #selectStrategy: FeatureSelection["selectStrategy"];
  readonly hiddenSize: number;
  readonly grid: FeatureGrid;

  constructor(config: ClipVisionConfig, selection: FeatureSelection) {
    super();
    const states = config.numLayers + 1;
    this.#features = selection.featureLayers.map((layer) => (layer < 0 ? states + layer : layer));
    this.#selectStrategy = selection.selectStrategy;
    this.embeddings = new ClipEmbeddings(config);
    this.preLayrnorm = new LayerNorm(config.hiddenSize, config.layerNormEps);
    this.encoder = new ClipEncoder(config, Math.max(...this.#features));
    this.hiddenSize = config.hiddenSize * this.#features.length;
    this.grid = gridOf(config, selection.selectStrategy);
  }

  /** Others train and store all layers. */
  get unused(): readonly RegExp[] {
    const kept = this.encoder.layers.map((_, layer) => layer).join("|");
    return [/^post_layernorm\./, new RegExp(`^encoder\\.layers\\.(?!(?:${kept})\\.)`)];
  }

  forward(pixelValues: Tensor, { runLayer = freeing }: TowerOptions = {}): Tensor {
    const embed = (pixels: Tensor) => this.preLayrnorm.forward(this.embeddings.forward(pixels));
    const states = [runLayer(embed, pixelValues)]; // [N, 1 + h·w, D]
    for (const layer of this.encoder.layers)
      states.push(runLayer((hidden) => layer.forward(hidden), states.at(-1)!));
    const selected = this.#features.map((index) => states[index]!);
    const features = selected.length === 1 ? selected[0]! : cat(selected, -1);
    return this.#selectStrategy === "patch" ? features.slice(1, 1) : features;
  }
}
