import { aten, cat, type DType, keep, scope, type Tensor, tensor } from "../torch/index.ts";

/**
 * Rotary frequency scaling: "linear" divides positions; "llama3" stretches only the low frequencies; "factors" divides each
 * frequency by its own number; "yarn" (arXiv 2309.00071) divides low frequencies, keeps high ones, and makes attention sharper.
 */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number; readonly originalMaxPositionEmbeddings?: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
  | { readonly type: "factors"; readonly factors: readonly number[] }
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly originalMaxPositionEmbeddings: number;
      /** Turns over the original length, above which a frequency is kept, and below which it is divided. */
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whether the bounds between are whole dimensions. */
      readonly truncate: boolean;
      /** Multiplies cosines and sines. */
      readonly attentionFactor: number;
    };

/**
 * Linear factors by which positions are divided for a text that is longer than those that a model was trained with: one for
 * all, or one for each position; undefined is the model's own.
 */
export type RopeFactors = number | readonly (number | undefined)[] | undefined;

/** cos and sin of position·frequency for each pair of dimensions, [B or 1, 1, T, d]. */
export interface RotaryAngles {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * Rotary position embedding (RoFormer, arXiv 2104.09864) in the half-split layout of Hugging Face checkpoints: dimension
 * i turns together with i + d/2. Angles are computed in float32, as positions do not fit narrower types.
 */
export class RotaryEmbedding {
  readonly #frequencies: readonly number[];
  /** What they are before a linear factor divides them. */
  readonly #base: readonly number[];
  readonly #ownFactor: number;
  readonly #attentionFactor: number;
  readonly #placed = new Map<string, Tensor>();

  constructor(headDim: number, theta: number, scaling?: RopeScaling) {
    this.#frequencies = scaling
      ? scaledFrequencies(headDim, theta, scaling)
      : baseFrequencies(headDim, theta);
    const isLinear = scaling?.type === "linear";
    this.#base = isLinear ? baseFrequencies(headDim, theta) : this.#frequencies;
    this.#ownFactor = isLinear ? scaling.factor : 1;
    this.#attentionFactor = scaling?.type === "yarn" ? scaling.attentionFactor : 1;
  }

  /** positions int64 [T] or [B, T] → angles [1 or B, 1, T, d]. `factors` take the place of the model's own linear one. */
  angles(positions: Tensor, dtype: DType, factors?: RopeFactors): RotaryAngles {
    const frequencies = this.#divided(factors, positions);
    const rows = positions.shape.length === 1 ? positions.unsqueeze(0) : positions;
    const half = rows.to("float32").unsqueeze(-1).mul(frequencies); // [B, T, d/2]
    const angles = cat([half, half], -1).unsqueeze(1); // [B, 1, T, d]
    const sized = (wave: Tensor) =>
      (this.#attentionFactor === 1 ? wave : wave.mul(this.#attentionFactor)).to(dtype);
    return { cos: sized(angles.cos()), sin: sized(angles.sin()) };
  }

  /** The frequencies, which on a GPU stay there: to copy them would make the host wait, and cannot be recorded in a graph. */
  #on(device: string): Tensor {
    if (device === "cpu") return tensor(this.#frequencies);
    let placed = this.#placed.get(device);
    if (placed === undefined) {
      placed = keep(scope(() => tensor(this.#frequencies).toDevice(device)));
      this.#placed.set(device, placed);
    }
    return placed;
  }

  /** [d/2], or [B, T, d/2] where each position has a factor of its own */
  #divided(factors: RopeFactors, { device, shape }: Tensor): Tensor {
    if (factors === undefined) return this.#on(device);
    const base = tensor(this.#base).toDevice(device);
    if (typeof factors === "number") return base.div(factors);
    const each = tensor(factors.map((factor) => factor ?? this.#ownFactor)).toDevice(device);
    return base.div(each.reshape([shape.length === 1 ? 1 : shape[0]!, -1, 1]));
  }
}

/** Rounded to float32 at each step, as the checkpoints' own training code did. */
const baseFrequencies = (headDim: number, theta: number): number[] =>
  Array.from({ length: headDim / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headDim))),
  );

/** What a scaling divides each frequency by. */
export function rotaryFactors(headDim: number, theta: number, scaling: RopeScaling): number[] {
  const scaled = scaledFrequencies(headDim, theta, scaling);
  return baseFrequencies(headDim, theta).map((frequency, i) => frequency / scaled[i]!);
}

function scaledFrequencies(headDim: number, theta: number, scaling: RopeScaling): number[] {
  const base = baseFrequencies(headDim, theta);
  if (scaling.type !== "yarn") return base.map((frequency, i) => scaledFrequency(frequency, i, scaling));
  const { factor, originalMaxPositionEmbeddings, betaFast, betaSlow, truncate } = scaling;
  const turning = (turns: number) =>
    (headDim * Math.log(originalMaxPositionEmbeddings / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [turning(betaFast), turning(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, headDim - 1);
  const width = high === low ? 0.001 : high - low;
  return base.map((frequency, i) => {
    const divided = Math.min(Math.max((i - low) / width, 0), 1);
    return (frequency / factor) * divided + frequency * (1 - divided);
  });
}

function scaledFrequency(
  frequency: number,
  index: number,
  scaling: Exclude<RopeScaling, { type: "yarn" }>,
): number {
  if (scaling.type === "linear") return frequency / scaling.factor;
  if (scaling.type === "factors") return frequency / scaling.factors[index]!;
  // Llama 3.1: long wavelengths are stretched, short ones kept, with a linear blend between.
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalMaxPositionEmbeddings / highFreqFactor) return frequency;
  if (wavelength > originalMaxPositionEmbeddings / lowFreqFactor) return frequency / factor;
  const blend =
    (originalMaxPositionEmbeddings / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - blend) * frequency) / factor + blend * frequency;
}

/** x [B, H, T, d] turned by its positions' angles. */
export const rotate = (x: Tensor, { cos, sin }: RotaryAngles): Tensor => aten.rotate(x, cos, sin);
