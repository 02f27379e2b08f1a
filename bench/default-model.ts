import { ClipVisionTower, type LanguageModel } from "../src/models/index.ts";
import { AdamW } from "../src/optim/index.ts";
import { loadBuiltin } from "../src/pretrained/index.ts";
import { rowsOf } from "../src/processing/image/index.ts";
import { defaultModel, resolveModel } from "../src/setup/index.ts";
import {
  backward,
  crossEntropy,
  type DType,
  Generator,
  inference,
  keep,
  longTensor,
  randn,
  scope,
  type Tensor,
} from "../src/torch/index.ts";
import { packSamples } from "../src/training/index.ts";

export const DECODED = 64;
export const PREFILLED = 512;
export const BATCH = 8;
export const STEPS = 3;

/** Layers of LLaVA 1.5's tower, ViT-L/14 at 336 pixels: as many as are measured. */
const TOWER_LAYERS = 4;
const clip = {
  family: "clip",
  hiddenSize: 1024,
  intermediateSize: 4096,
  numLayers: TOWER_LAYERS,
  numHeads: 16,
  imageSize: 336,
  patchSize: 14,
  numChannels: 3,
  layerNormEps: 1e-5,
  hiddenAct: "quick_gelu",
} as const;

function randomTower(dtype: DType, generator: Generator): ClipVisionTower {
  const tower = new ClipVisionTower(clip, { featureLayers: [-1], selectStrategy: "patch" });
  for (const [name, { shape }] of tower.namedParameters())
    tower.setParameter(name, keep(scope(() => randn(shape, generator).mul(0.02).to(dtype))));
  return tower;
}

/** Of the decoder layers' linear layers, which all tokens go through. */
const weightsOf = ({ layers }: LanguageModel): number =>
  layers
    .flatMap((layer) => [...layer.namedParameters()])
    .reduce((sum, [, { shape, elements }]) => sum + (shape.length === 2 ? elements : 0), 0);

/** The default model's work, each piece in seconds of its unit: a token, a prompt, a training step. */
export interface Work {
  readonly decode: (count?: number) => number;
  readonly prefill: () => number;
  readonly train: (steps?: number) => number;
  readonly tower: () => number;
  /** Of products with weights, in a unit of the work. */
  readonly flops: Readonly<Partial<Record<"decode" | "prefill" | "train" | "tower", number>>>;
  /** Of the last training step. */
  readonly loss: () => number;
  /** What a peer needs to do the same. */
  readonly languageModel: string;
  readonly prompt: readonly number[];
  readonly longPrompt: readonly number[];
  readonly captions: readonly (readonly number[])[];
  /** Weights of the projector, and the image features of a training step. */
  readonly shared: ReadonlyMap<string, Tensor>;
}

/** Loads the default model with a fresh projector, which alone learns. */
export async function loadWork(dtype: DType): Promise<Work> {
  const resolved = await resolveModel(defaultModel);
  if (resolved.kind !== "builtin") throw new Error("the default model is built in");
  const pretrained = loadBuiltin(resolved, { dtype, untrained: true });
  const { languageModel, projector, imageTokenId, visionTower } = pretrained.model;
  const generator = new Generator(0);
  projector.initialize(generator);
  languageModel.requiresGrad_(false);
  projector.requiresGrad_(true);

  const prompt = pretrained.processor.tokenizer.encode("The capital of France is");
  const longPrompt = Array.from({ length: PREFILLED }, (_, i) => 100 + ((i * 7919) % 40_000));
  /** Captions of 8 to 20 tokens, as long as those of photos are. */
  const captions = Array.from({ length: BATCH }, (_, row) =>
    Array.from({ length: 8 + ((row * 5) % 13) }, (_, i) => 200 + ((row * 131 + i * 7919) % 40_000)),
  );

  const decode = (count = DECODED): number =>
    inference(() => {
      using cache = languageModel.newCache({ batch: 1, capacity: prompt.length + count });
      const next = (ids: readonly number[]) =>
        scope(() => {
          const embedded = languageModel.embed(longTensor(ids, [1, ids.length]));
          const hidden = languageModel.forward(embedded, { cache });
          return languageModel.logits(hidden.slice(1, -1)).argmax().item();
        });
      let id = next(prompt);
      const start = performance.now();
      for (let i = 0; i < count; i++) id = next([id]);
      return (performance.now() - start) / 1000 / count;
    });

  const prefill = (): number =>
    inference(() => {
      using cache = languageModel.newCache({ batch: 1, capacity: PREFILLED });
      const start = performance.now();
      scope(() => {
        const embedded = languageModel.embed(longTensor(longPrompt, [1, PREFILLED]));
        const hidden = languageModel.forward(embedded, { cache });
        languageModel.logits(hidden.slice(1, -1)).argmax().item();
      });
      return (performance.now() - start) / 1000;
    });

  const imageTokens = rowsOf(visionTower.grid);
  const features = keep(randn([BATCH, imageTokens, visionTower.hiddenSize], generator));
  const packed = packSamples(
    captions.map((ids) => {
      const image = Array<number>(imageTokens).fill(imageTokenId);
      return { inputIds: [...image, ...ids], labels: [...image.map(() => -100), ...ids], continuations: [] };
    }),
    BATCH / 2,
  );
  const parameters = projector.namedParameters();
  const optimizer = new AdamW([{ parameters, learningRate: 0, weightDecay: 0 }]);
  let loss = Number.NaN;

  function trainingStep(): void {
    scope(() => {
      const ordered = features.indexSelect(0, longTensor(packed.order));
      const inputs = pretrained.model.embed(packed.inputIds, { features: ordered });
      const hidden = languageModel.forward(inputs, {
        positions: packed.positions,
        attention: packed.attention,
      });
      const chosen = hidden.flatten(0, 1).indexSelect(0, packed.supervised);
      const mean = crossEntropy(languageModel.logits(chosen).to("float32"), packed.targets);
      backward([mean]);
      optimizer.step();
      optimizer.clearGradients();
      loss = mean.item();
    });
  }

  const train = (steps = STEPS): number => {
    const start = performance.now();
    for (let step = 0; step < steps; step++) trainingStep();
    return (performance.now() - start) / 1000 / steps;
  };

  const pixels = keep(randn([1, 3, clip.imageSize, clip.imageSize], generator, { dtype }));
  let images: ClipVisionTower | undefined;
  const tower = (): number => {
    images ??= randomTower(dtype, generator);
    const start = performance.now();
    inference(() => scope(() => images!.forward(pixels).amax().item()));
    return (performance.now() - start) / 1000;
  };
  return {
    decode,
    prefill,
    train,
    tower,
    flops: {
      prefill: 2 * PREFILLED * weightsOf(languageModel),
      tower: 2 * (clip.imageSize / clip.patchSize) ** 2 * TOWER_LAYERS * 12 * clip.hiddenSize ** 2,
    },
    loss: () => loss,
    languageModel: resolved.languageModel,
    prompt,
    longPrompt,
    captions,
    shared: new Map([...parameters, ["features", features]]),
  };
}
