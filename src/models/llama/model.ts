import { layouts, type Naming, naming } from "../../checkpoint/index.ts";
import {
  type AttentionMask,
  type AttentionStep,
  attend,
  CacheStep,
  Embedding,
  freeing,
  gated,
  KeyValueCache,
  Linear,
  Module,
  PageStore,
  project,
  RmsNorm,
  RmsNormFromOne,
  type RotaryAngles,
  RotaryEmbedding,
  rotate,
} from "../../nn/index.ts";
import { arange, type DType, type Tensor, tensor } from "../../torch/index.ts";
import type { LanguageModel, LanguageModelOptions } from "../language-model.ts";
import type { LlamaConfig } from "./config.ts";

/** What all layers of one forward pass share. */
interface LayerContext {
  readonly angles: RotaryAngles;
  readonly attention: AttentionMask;
  readonly step: AttentionStep | undefined;
}

/** Grouped-query attention with rotary positions. */
class LlamaAttention extends Module {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly oProj: Linear;
  readonly qNorm?: RmsNorm; // [d]
  readonly kNorm?: RmsNorm; // [d]
  readonly #headDim: number;

  constructor(config: LlamaConfig) {
    super();
    const { hiddenSize, numHeads, numKeyValueHeads, headDim } = config;
    this.qProj = new Linear(hiddenSize, numHeads * headDim, { bias: config.attentionBias });
    this.kProj = new Linear(hiddenSize, numKeyValueHeads * headDim, { bias: config.attentionBias });
    this.vProj = new Linear(hiddenSize, numKeyValueHeads * headDim, { bias: config.attentionBias });
    this.oProj = new Linear(numHeads * headDim, hiddenSize, { bias: config.outputBias });
    if (config.queryKeyNorm) {
      this.qNorm = new RmsNorm(headDim, config.rmsNormEps);
      this.kNorm = new RmsNorm(headDim, config.rmsNormEps);
    }
    this.#headDim = headDim;
  }

  forward(hidden: Tensor, layer: number, { angles, attention, step }: LayerContext): Tensor {
    const [batch, length] = hidden.shape as [number, number, number];
    const [q, k, value] = project(hidden, [this.qProj, this.kProj, this.vProj]).map((x) =>
      x.view([batch, length, -1, this.#headDim]),
    ) as [Tensor, Tensor, Tensor]; // [B, T, H or Hkv, d]
    const query = this.qNorm?.forward(q) ?? q;
    const key = this.kNorm?.forward(k) ?? k;
    if (step?.attendTurned) return this.oProj.forward(step.attendTurned(layer, query, key, value, angles));
    const turned = [query, key].map((x) => rotate(x.transpose(1, 2), angles)) as [Tensor, Tensor]; // [B, H, T, d]
    const seen = [...turned, value.transpose(1, 2)] as const;
    return this.oProj.forward(step?.attend(layer, ...seen) ?? attend(...seen, attention));
  }
}

/** down(act(gate(x)) · up(x)) */
class LlamaMlp extends Module {
  readonly gateProj: Linear;
  readonly upProj: Linear;
  readonly downProj: Linear;
  readonly #act: LlamaConfig["hiddenAct"];

  constructor(config: LlamaConfig) {
    super();
    const { hiddenSize, intermediateSize, mlpBias } = config;
    this.gateProj = new Linear(hiddenSize, intermediateSize, { bias: mlpBias });
    this.upProj = new Linear(hiddenSize, intermediateSize, { bias: mlpBias });
    this.downProj = new Linear(intermediateSize, hiddenSize, { bias: mlpBias });
    this.#act = config.hiddenAct;
  }

  forward(hidden: Tensor): Tensor {
    const [gate, up] = project(hidden, [this.gateProj, this.upProj]);
    return this.downProj.forward(gated(this.#act, gate!, up!));
  }
}

/** Of a layer's input and of the model's output. */
const normOf = ({ hiddenSize, rmsNormEps, scaledFromOne }: LlamaConfig): RmsNorm =>
  scaledFromOne ? new RmsNormFromOne(hiddenSize, rmsNormEps) : new RmsNorm(hiddenSize, rmsNormEps);

class LlamaLayer extends Module {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: LlamaAttention;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: LlamaMlp;

  constructor(config: LlamaConfig) {
    super();
    this.inputLayernorm = normOf(config);
    this.selfAttn = new LlamaAttention(config);
    this.postAttentionLayernorm = normOf(config);
    this.mlp = new LlamaMlp(config);
  }

  forward(hidden: Tensor, layer: number, context: LayerContext): Tensor {
    const seen = this.selfAttn.forward(this.inputLayernorm.forward(hidden), layer, context);
    const [attended, normed] = this.postAttentionLayernorm.ofSum(hidden, seen);
    return attended.add(this.mlp.forward(normed));
  }
}

const paths = naming(["lm_head", "lm_head"], ["", "model.language_model."]);

/** A decoder of the Llama family (arXiv 2302.13971), which by its configuration is also Vicuna, Mistral, Yi, Qwen or Gemma. */
export class Llama extends Module implements LanguageModel {
  readonly embedTokens: Embedding;
  readonly layers: readonly LlamaLayer[];
  readonly norm: RmsNorm;
  /** Absent where the output weights are the embedding's. */
  readonly lmHead?: Linear;
  readonly #config: LlamaConfig;
  readonly #rotary: RotaryEmbedding;
  #computeDtype: DType | undefined;

  constructor(config: LlamaConfig) {
    super();
    this.embedTokens = new Embedding(config.vocabSize, config.hiddenSize);
    this.layers = Array.from({ length: config.numLayers }, () => new LlamaLayer(config));
    this.norm = normOf(config);
    if (!config.tieWordEmbeddings)
      this.lmHead = new Linear(config.hiddenSize, config.vocabSize, { bias: false });
    this.#config = config;
    this.#rotary = new RotaryEmbedding(config.headDim, config.ropeTheta, config.ropeScaling);
  }

  get config(): LlamaConfig {
    return this.#config;
  }

  get paths(): Naming {
    return paths;
  }
  get layout(): Naming {
    return layouts.languageModel;
  }
  get unused(): readonly RegExp[] {
    return this.lmHead === undefined ? [/^lm_head\.weight$/] : [];
  }

  /** Where it computes. */
  get device(): string {
    return this.embedTokens.weight.device;
  }

  /** Element type of activations: that of the embedding's weights, unless another was chosen. */
  get computeDtype(): DType {
    return this.#computeDtype ?? this.embedTokens.dtype;
  }
  set computeDtype(dtype: DType) {
    this.#computeDtype = dtype;
  }

  /** ids int64 [B, T] → [B, T, D] */
  embed(inputIds: Tensor): Tensor {
    const dtype = this.computeDtype;
    const rows = this.embedTokens.forward(inputIds).to(dtype);
    if (!this.#config.scaledFromOne) return rows;
    const scale = tensor([Math.sqrt(this.#config.hiddenSize)])
      .to(dtype)
      .toDevice(rows.device);
    return rows.mul(scale);
  }

  /** [B, T, D] → hidden states after the final norm [B, T, D]; `logits` turns (some of) them into scores. */
  forward(embeddings: Tensor, options: LanguageModelOptions = {}): Tensor {
    const { cache, attention = { causal: true } } = options;
    const [, length] = embeddings.shape as [number, number, number];
    const step = cache instanceof KeyValueCache ? CacheStep.of(cache, length) : cache;
    const { device } = embeddings;
    const positions = options.positions ?? step?.positions ?? arange(0, length, { device });
    const ropeFactors = step === undefined ? options.ropeFactor : step.ropeFactors;
    const angles = this.#rotary.angles(positions, embeddings.dtype, ropeFactors);
    const context: LayerContext = { angles, attention, step };
    const { runLayer = freeing } = options;
    let hidden = embeddings;
    for (const [i, layer] of this.layers.entries())
      hidden = runLayer((input) => layer.forward(input, i, context), hidden, layer);
    step?.advance();
    return this.norm.forward(hidden);
  }

  /** hidden [..., D] → [..., vocab] */
  logits(hidden: Tensor): Tensor {
    return this.lmHead === undefined ? this.embedTokens.scores(hidden) : this.lmHead.forward(hidden);
  }

  newCache(options: { batch: number; capacity: number }): KeyValueCache {
    return new KeyValueCache({ ...this.#keyValues, ...options });
  }

  newPages(options: { slabBytes?: number } = {}): PageStore {
    return new PageStore({ ...this.#keyValues, ...options });
  }

  get #keyValues() {
    const { numLayers, numKeyValueHeads, headDim } = this.#config;
    const [dtype, device] = [this.computeDtype, this.device];
    return { layers: numLayers, heads: numKeyValueHeads, headDim, dtype, device };
  }
}
