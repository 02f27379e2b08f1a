/** c10::ScalarType's numbers, by the names that PyTorch users know. */
const dtypeCodes = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  bool: 11,
  bfloat16: 15,
} as const;

export type DType = keyof typeof dtypeCodes;

const names = new Map<number, DType>(
  Object.entries(dtypeCodes).map(([name, code]) => [code, name as DType] as const),
);

/** @throws RangeError for a name that is none */
export function codeOf(dtype: DType): number {
  if (!Object.hasOwn(dtypeCodes, dtype)) throw new RangeError(`there is no dtype "${String(dtype)}"`);
  return dtypeCodes[dtype];
}

/** @throws RangeError for a type that this library has no name for (quantised and complex ones). */
export function dtypeOf(code: number): DType {
  const name = names.get(code);
  if (name === undefined) throw new RangeError(`libtorch's scalar type ${code} is not supported here`);
  return name;
}

/** Bytes of one element. */
export const byteWidth: Readonly<Record<DType, number>> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
  bool: 1,
  bfloat16: 2,
};

export const isFloating = (dtype: DType): boolean => dtype.includes("float");
