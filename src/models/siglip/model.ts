import { Embedding, Module } from "../../nn/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { FeatureSelection } from "../vision-tower.ts";
import { PatchEmbedding, type VisionEncoder, VisionTransformer } from "../vision-transformer/model.ts";
import { gridOf, type SiglipVisionConfig } from "./config.ts";

class SiglipEmbeddings extends Module {
  readonly patchEmbedding: PatchEmbedding;
  readonly positionEmbedding: Embedding; // [h·w, D]

  constructor(config: SiglipVisionConfig) {
    super();
    const { rows, columns } = gridOf(config);
    this.patchEmbedding = new PatchEmbedding(config, { bias: true });
    this.positionEmbedding = new Embedding(rows * columns, config.hiddenSize);
  }

  forward(pixelValues: Tensor): Tensor {
    const patches = this.patchEmbedding.forward(pixelValues);
    return patches.add(this.positionEmbedding.weight.to(patches.dtype)); // [N, h·w, D]
  }
}

/** SigLIP's vision transformer (arXiv 2303.15343): patches alone, without a class token or a norm before the layers. */
export class SiglipVisionTower extends VisionTransformer {
  readonly embeddings: SiglipEmbeddings;
  override readonly encoder: VisionEncoder;

  constructor(config: SiglipVisionConfig, selection: FeatureSelection) {
    super(config, selection, gridOf(config));
    this.embeddings = new SiglipEmbeddings(config);
    this.encoder = this.newEncoder(config);
  }

  protected override embed(pixelValues: Tensor): Tensor {
    return this.embeddings.forward(pixelValues);
  }
}
