import { cat, type DType, type Tensor, tensor } from "../torch/index.ts";

/**
 * Rotary frequency scaling: "linear" divides positions; "llama3" stretches only the low frequencies; "factors" divides each
 * frequency by its own number.
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
  | { readonly type: "factors"; readonly factors: readonly number[] };

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

  constructor(headDim: number, theta: number, scaling?: RopeScaling) {
    const base = baseFrequencies(headDim, theta);
    this.#frequencies =
      scaling === undefined ? base : base.map((frequency, i) => scaled(frequency, i, scaling));
    this.#base = scaling?.type === "linear" ? base : this.#frequencies;
    this.#ownFactor = scaling?.type === "linear" ? scaling.factor : 1;
  }

  /** positions int64 [T] or [B, T] → angles [1 or B, 1, T, d]. `factors` take the place of the model's own linear one. */
  angles(positions: Tensor, dtype: DType, factors?: RopeFactors): RotaryAngles {
    const frequencies = this.#divided(factors, positions);
    const rows = positions.shape.length === 1 ? positions.unsqueeze(0) : positions;
    const half = rows.to("float32").unsqueeze(-1).mul(frequencies); // [B, T, d/2]
    const angles = cat([half, half], -1).unsqueeze(1); // [B, 1, T, d]
    return { cos: angles.cos().to(dtype), sin: angles.sin().to(dtype) };
  }

  /** [d/2], or [B, T, d/2] where each position has a factor of its own */
  #divided(factors: RopeFactors, { device, shape }: Tensor): Tensor {
    if (factors === undefined) return tensor(this.#frequencies).toDevice(device);
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
export const rotaryFactors = (headDim: number, theta: number, scaling: RopeScaling): number[] =>
  baseFrequencies(headDim, theta).map((frequency, i) => frequency / scaled(frequency, i, scaling));

function scaled(frequency: number, index: number, scaling: RopeScaling): number {
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
export function rotate(x: Tensor, { cos, sin }: RotaryAngles): Tensor {
  const [first, second] = x.chunk(2, -1);
  return x.mul(cos).add(cat([second!.neg(), first!], -1).mul(sin));
}
