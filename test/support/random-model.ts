import {
  type ClipVisionConfig,
  ClipVisionTower,
  Llama,
  type LlamaConfig,
  Llava,
  Projector,
} from "../../src/models/index.ts";
import type { Module } from "../../src/nn/index.ts";
import { type DType, Generator, randn, scope, type Tensor } from "../../src/torch/index.ts";
import { checkGradients } from "./gradients.ts";

export const tinyText: LlamaConfig = {
  family: "llama",
  vocabSize: 48,
  hiddenSize: 16,
  intermediateSize: 24,
  numLayers: 2,
  numHeads: 4,
  numKeyValueHeads: 2,
  headDim: 4,
  hiddenAct: "silu",
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 64,
  tieWordEmbeddings: false,
  attentionBias: true,
  outputBias: false,
  mlpBias: false,
};

export const tinyVision: ClipVisionConfig = {
  family: "clip",
  hiddenSize: 12,
  intermediateSize: 20,
  numLayers: 3,
  numHeads: 3,
  imageSize: 8,
  patchSize: 4,
  numChannels: 3,
  layerNormEps: 1e-5,
  hiddenAct: "quick_gelu",
};

export const IMAGE_ID = -200;

/** Normal parameters of deviation 0.3, around 1 for the scales of norms. */
export function randomize<M extends Module>(module: M, seed: number, dtype: DType = "float32"): M {
  using generator = new Generator(seed);
  scope(() => {
    for (const [name, { shape }] of module.namedParameters()) {
      const drawn = randn(shape, generator, { dtype }).mul(0.3);
      module.setParameter(name, /norm\w*\.weight$/.test(name) ? drawn.add(1) : drawn);
    }
  });
  return module;
}

export function tinyLlava(seed: number, dtype: DType = "float32"): Llava {
  const visionTower = new ClipVisionTower(tinyVision, { featureLayers: [-2], selectStrategy: "patch" });
  const projector = new Projector(
    { type: "mlp", depth: 2, act: "gelu", bias: true },
    { in: visionTower.hiddenSize, out: tinyText.hiddenSize },
  );
  const languageModel = new Llama(tinyText);
  const parts = { visionTower, projector, languageModel, imageTokenId: IMAGE_ID };
  return randomize(new Llava(parts), seed, dtype);
}

/** Checks the gradients of `inputs` and of all of a module's parameters, each by itself. */
export function checkModuleGradients(
  module: Module,
  inputs: readonly Tensor[],
  compute: (inputs: readonly Tensor[]) => Tensor,
): void {
  const named = module.namedParameters();
  checkGradients([...inputs, ...named.values()], (values) => {
    // A module disposes of what it is given when the next comes: it gets results that lead back to the leaves.
    for (const [i, name] of [...named.keys()].entries())
      module.setParameter(name, values[inputs.length + i]!.add(0));
    return compute(values.slice(0, inputs.length));
  });
}
