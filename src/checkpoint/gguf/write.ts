import { writeAtomically } from "../../files/index.ts";
import { type DType, noGrad, quantize, releasePages, scope, type Tensor } from "../../torch/index.ts";
import { type GgufType, ggufTypeOf } from "./types.ts";

/** A value of a file's metadata, in the type that readers of the format ask for. */
export type GgufValue =
  | string
  | boolean
  | readonly string[]
  /** An unsigned whole number of 32 bits. */
  | number
  | Float32
  | Int32Array
  | Float32Array;

/** A number that is written as float32, even where it is whole. */
export interface Float32 {
  readonly float32: number;
}
export const float32 = (value: number): Float32 => ({ float32: value });

/** The types that tensors are written in. */
export type WrittenGgufType = "F32" | "F16" | "BF16" | "Q8_0" | "Q4_0" | "Q6_K";

/** A tensor that is made when its turn comes, and freed before the next. */
export interface WrittenGgufTensor {
  readonly type: WrittenGgufType;
  /** Row-major, slowest dimension first. */
  readonly shape: readonly number[];
  /** The numbers, in any floating-point type. */
  read(): Tensor;
}

const ALIGNMENT = 32;
/** Numbers that are converted at once, whole rows of them. */
const AT_ONCE = 1 << 23;

/** Writes a GGUF file of version 3, tensor by tensor and each a few rows at a time, so that little of it is in memory. */
export function writeGguf(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: ReadonlyMap<string, WrittenGgufTensor>,
): void {
  let offset = 0;
  const entries = Array.from(tensors, ([name, tensor]) => {
    const { id, layout } = ggufTypeOf(tensor.type);
    const elements = tensor.shape.reduce((product, size) => product * size, 1);
    const bytes = (elements / layout.blockElements) * layout.blockBytes;
    const start = offset;
    offset += bytes + padding(bytes);
    return { name, tensor, id, start, bytes };
  });
  const header = Buffer.concat([
    ...[Buffer.from("GGUF"), uint32(3), uint64(entries.length), uint64(metadata.size)],
    ...Array.from(metadata, ([key, value]) => Buffer.concat([text(key), valueBytes(value)])),
    ...entries.map(({ name, tensor: { shape }, id, start }) =>
      Buffer.concat([
        ...[text(name), uint32(shape.length), ...shape.toReversed().map(uint64), uint32(id), uint64(start)],
      ]),
    ),
  ]);
  writeAtomically(
    path,
    (function* () {
      yield header;
      yield Buffer.alloc(padding(header.byteLength));
      for (const { tensor, bytes } of entries) {
        yield* tensorBytes(tensor);
        yield Buffer.alloc(padding(bytes));
      }
    })(),
  );
}

const padding = (bytes: number): number => (ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT;

function* tensorBytes({ type, shape, read }: WrittenGgufTensor): Generator<Uint8Array> {
  const width = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  using values = noGrad(() => scope(() => read().detach().reshape([rows, width])));
  for (const [start, end] of rowRanges(rows, width))
    yield scope(() => {
      const part = values.slice(0, start, end);
      const bytes = encoded(part, type).toBytes();
      releasePages(part);
      return bytes;
    });
}

/** Rows of a matrix in stretches that are converted at once. */
export function* rowRanges(rows: number, width: number): Generator<readonly [start: number, end: number]> {
  const step = Math.max(1, Math.floor(AT_ONCE / width));
  for (let start = 0; start < rows; start += step) yield [start, Math.min(rows, start + step)];
}

const DTYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const satisfies Partial<
  Record<GgufType, DType>
>;

/** Numbers [rows, width] as they lie in a file of this type: themselves, or blocks. */
export const encoded = (values: Tensor, type: WrittenGgufType): Tensor =>
  noGrad(() =>
    type === "F32" || type === "F16" || type === "BF16"
      ? values.to(DTYPES[type]).contiguous()
      : quantize(values.contiguous(), type),
  );

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.byteLength), bytes]);
}

const [UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9] as const;

function valueBytes(value: GgufValue): Buffer {
  if (typeof value === "string") return Buffer.concat([uint32(STRING), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([uint32(BOOL), Buffer.of(value ? 1 : 0)]);
  if (typeof value === "number") return Buffer.concat([uint32(UINT32), uint32(value)]);
  if ("float32" in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value.float32);
    return Buffer.concat([uint32(FLOAT32), bytes]);
  }
  const array = (type: number, items: readonly Uint8Array[]) =>
    Buffer.concat([uint32(ARRAY), uint32(type), uint64(value.length), ...items]);
  if (value instanceof Int32Array) return array(INT32, [littleEndian(value)]);
  if (value instanceof Float32Array) return array(FLOAT32, [littleEndian(value)]);
  return array(STRING, value.map(text));
}

/** The machines that libtorch runs on are little-endian, as the format is. */
const littleEndian = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
