import { Embedding, LayerNorm, Module, placeholder } from "../../nn/index.ts";
import { cat, type Tensor } from "../../torch/index.ts";
import type { FeatureSelection } from "../vision-tower.ts";
import { PatchEmbedding, type VisionEncoder, VisionTransformer } from "../vision-transformer/model.ts";
import { type ClipVisionConfig, gridOf } from "./config.ts";

class ClipEmbeddings extends Module {
  readonly classEmbedding: Tensor; // [D]
  readonly patchEmbedding: PatchEmbedding;
  readonly positionEmbedding: Embedding; // [1 + h·w, D]

  constructor(config: ClipVisionConfig) {
    super();
    const { rows, columns } = gridOf(config, "full");
    this.classEmbedding = placeholder([config.hiddenSize]);
    this.patchEmbedding = new PatchEmbedding(config, { bias: false });
    this.positionEmbedding = new Embedding(1 + rows * columns, config.hiddenSize);
  }

  forward(pixelValues: Tensor): Tensor {
    const patches = this.patchEmbedding.forward(pixelValues);
    const [images, , width] = patches.shape as [number, number, number];
    const first = this.classEmbedding.to(patches.dtype).expand([images, 1, width]);
    return cat([first, patches], 1).add(this.positionEmbedding.weight.to(patches.dtype)); // [N, 1 + h·w, D]
  }
}

/** CLIP's vision transformer (arXiv 2103.00020). */
export class ClipVisionTower extends VisionTransformer {
  readonly embeddings: ClipEmbeddings;
  readonly preLayrnorm: LayerNorm; // the checkpoints' spelling
  override readonly encoder: VisionEncoder;
  readonly #selectStrategy: FeatureSelection["selectStrategy"];

  constructor(config: ClipVisionConfig, selection: FeatureSelection) {
    super(config, selection, gridOf(config, selection.selectStrategy));
    this.#selectStrategy = selection.selectStrategy;
    this.embeddings = new ClipEmbeddings(config);
    this.preLayrnorm = new LayerNorm(config.hiddenSize, config.layerNormEps);
    this.encoder = this.newEncoder(config);
  }

  protected override embed(pixelValues: Tensor): Tensor {
    return this.preLayrnorm.forward(this.embeddings.forward(pixelValues)); // [N, 1 + h·w, D]
  }

  protected override select(features: Tensor): Tensor {
    return this.#selectStrategy === "patch" ? features.slice(1, 1) : features;
  }
}
