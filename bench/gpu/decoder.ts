import { createLanguageModel, type LanguageModel, type LlamaConfig } from "../../src/models/index.ts";
import { type DType, Generator, randn, scope } from "../../src/torch/index.ts";
import { device, sized } from "./checks.ts";

/** So many layers of Vicuna 7B, or in a try narrow ones of its kind. */
const shape = (numLayers: number): LlamaConfig => ({
  family: "llama",
  ...sized(
    { vocabSize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, numHeads: 32, numKeyValueHeads: 32 },
    { vocabSize: 128, hiddenSize: 64, intermediateSize: 96, numHeads: 4, numKeyValueHeads: 2 },
  ),
  headDim: sized(128, 16),
  numLayers,
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  hiddenAct: "silu",
  attentionBias: false,
  outputBias: false,
  mlpBias: false,
  tieWordEmbeddings: false,
  maxPositionEmbeddings: 32_768,
});

/** With random weights on the device, computing in bfloat16 there. */
export function randomDecoder(numLayers: number, dtype: DType): LanguageModel {
  const model = createLanguageModel(shape(numLayers));
  using generator = new Generator(1, device);
  for (const [name, { shape }] of model.namedParameters())
    scope(() => {
      const drawn = randn(shape, generator, { device }).mul(0.02);
      model.setParameter(name, (shape.length < 2 ? drawn.add(1) : drawn).to(dtype));
    });
  model.computeDtype = sized("bfloat16", dtype);
  return model;
}

/** Weights of a decoder's layers and of its output matrix, which products go over. */
export function multiplied({ layers, config }: LanguageModel): number {
  const weights = layers.flatMap((layer) => layer.parameters()).filter(({ shape }) => shape.length === 2);
  return weights.reduce((sum, { elements }) => sum + elements, config.vocabSize * config.hiddenSize);
}
