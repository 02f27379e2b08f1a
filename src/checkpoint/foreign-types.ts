import { LlavaError } from "../errors.ts";
import { aten, type DType, fromTyped, scope, type Tensor } from "../torch/index.ts";

/** An element type that files hold and nothing here computes in. */
interface ForeignLayout {
  readonly bits: number;
  /** Sizes of the parts of an 8-bit floating-point number; `infinite`: the largest exponent is for infinities and NaN. */
  readonly float?: { readonly exponent: number; readonly mantissa: number; readonly infinite: boolean };
}

/** By safetensors' names. Those of 8-bit floating point are widened, which is exact; the others are not read. */
export const FOREIGN_TYPES = {
  F8_E4M3: { bits: 8, float: { exponent: 4, mantissa: 3, infinite: false } },
  F8_E5M2: { bits: 8, float: { exponent: 5, mantissa: 2, infinite: true } },
  F8_E8M0: { bits: 8 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  F4: { bits: 4 },
  U16: { bits: 16 },
  U32: { bits: 32 },
  U64: { bits: 64 },
  C64: { bits: 64 },
} as const satisfies Record<string, ForeignLayout>;

export type ForeignType = keyof typeof FOREIGN_TYPES;

export const isForeign = (dtype: string): dtype is ForeignType => Object.hasOwn(FOREIGN_TYPES, dtype);

/**
 * A tensor of such a type as `dtype`, from its bits.
 * @param readBits gives them as uint8
 * @throws LlavaError "checkpoint", naming the tensor, for a type that cannot be widened
 */
export function readForeign(
  { where, name, type }: { where: string; name: string; type: ForeignType },
  readBits: () => Tensor,
  dtype: DType = "float32",
): Tensor {
  const layout: ForeignLayout = FOREIGN_TYPES[type];
  if (layout.float === undefined) throw unreadType(where, name, type);
  const values = widened(layout.float);
  return scope(() => {
    const bits = readBits();
    const table = fromTyped(values, { dtype: "float32", shape: [values.length] });
    return aten.indexSelect(table, 0, bits.flatten().to("int64")).reshape(bits.shape).to(dtype);
  });
}

const unreadType = (where: string, name: string, type: string): LlavaError =>
  new LlavaError("checkpoint", `${where}: ${name} is stored as ${type}, which is not read`, {
    hint: "Convert the checkpoint to float32, bfloat16 or float16 with the library that made it.",
  });

/** All 256 values of an 8-bit floating-point type, by their bits. */
function widened({ exponent, mantissa, infinite }: NonNullable<ForeignLayout["float"]>): Float32Array {
  const bias = 2 ** (exponent - 1) - 1;
  const largest = 2 ** exponent - 1;
  return Float32Array.from({ length: 256 }, (_, bits) => {
    const sign = bits >= 128 ? -1 : 1;
    const power = (bits & 127) >> mantissa;
    const fraction = bits & (2 ** mantissa - 1);
    if (infinite && power === largest) return fraction === 0 ? sign * Infinity : Number.NaN;
    if (!infinite && (bits & 127) === 127) return Number.NaN;
    const scaled = fraction / 2 ** mantissa;
    return sign * (power === 0 ? scaled * 2 ** (1 - bias) : (1 + scaled) * 2 ** (power - bias));
  });
}
