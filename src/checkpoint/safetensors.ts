import { readPrefix, writeAtomically } from "../files/index.ts";
import { byteWidth, type DType, isFloating, MappedFile, noGrad, scope, type Tensor } from "../torch/index.ts";
import { isForeign, readForeign } from "./foreign-types.ts";
import {
  parseSafetensorsHeader,
  SAFETENSORS_DTYPES,
  type SafetensorsHeader,
  safetensorsHeaderLength,
} from "./safetensors-header.ts";
import { type TensorSource, tableSource } from "./source.ts";

/** Opens a safetensors file. Tensors are views of the mapped file, copied only where misaligned. */
export function openSafetensors(path: string): TensorSource {
  const { tensors } = readSafetensorsHeader(path);
  const file = MappedFile.open(path);
  return tableSource(path, tensors, {
    info: ({ dtype, shape }) => ({ dtype, shape }),
    read: ({ dtype, shape, offset }, name, wanted) =>
      isForeign(dtype)
        ? readForeign(
            { where: path, name, type: dtype },
            () => mappedTensor(file, offset, shape, "uint8"),
            wanted,
          )
        : mappedTensor(file, offset, shape, dtype).to(wanted ?? dtype),
  });
}

/** A tensor over a file's own bytes; over a copy where they are not aligned to the element size. */
export function mappedTensor(
  file: MappedFile,
  offset: number,
  shape: readonly number[],
  dtype: DType,
): Tensor {
  const width = byteWidth[dtype];
  if (offset % width === 0) return file.tensor(offset, shape, dtype);
  const count = shape.reduce((product, size) => product * size, 1);
  return file
    .tensor(offset, [count * width], "uint8")
    .clone()
    .viewAs(dtype)
    .reshape(shape);
}

/** Header of a safetensors file, checked, with its `__metadata__`. */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  const { bytes, fileLength } = readPrefix(path, 8);
  const length = safetensorsHeaderLength(bytes, fileLength, path);
  return parseSafetensorsHeader(readPrefix(path, length, 8).bytes, fileLength, path);
}

/** How tensors are written. */
export interface WriteOptions {
  /** Element type of floating-point tensors; as they are without it. */
  readonly dtype?: DType | undefined;
  /** The values of a tensor where it is a shape alone; the tensor is asked for when it is written. */
  readonly valuesOf?: ((tensor: Tensor) => Tensor) | undefined;
}

/**
 * Writes tensors to a safetensors file, one at a time, so that no second copy of all of them is held. The widest
 * element types come first and the header is padded to 8 bytes: every tensor is aligned, as in the reference writer.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
  { dtype, valuesOf = (tensor) => tensor }: WriteOptions = {},
): void {
  const entries = [...tensors].map(([name, tensor]) => {
    const type = writtenType(tensor, dtype);
    return {
      name,
      tensor,
      type,
      stored: SAFETENSORS_DTYPES[type],
      byteLength: tensor.elements * byteWidth[type],
    };
  });
  entries.sort(
    (a, b) =>
      LAYOUT_ORDER.indexOf(a.stored) - LAYOUT_ORDER.indexOf(b.stored) || compareCodePoints(a.name, b.name),
  );

  let offset = 0;
  const header = Object.fromEntries(
    entries.map(({ name, tensor, stored, byteLength }) => {
      const start = offset;
      offset += byteLength;
      return [name, { dtype: stored, shape: tensor.shape, data_offsets: [start, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify({ __metadata__: metadata, ...header }));
  const prefix = Buffer.alloc(8 + Math.ceil(json.byteLength / 8) * 8, " ");
  prefix.writeBigUInt64LE(BigInt(prefix.byteLength - 8));
  json.copy(prefix, 8);

  writeAtomically(
    path,
    (function* () {
      yield prefix;
      for (const { tensor, type } of entries)
        yield scope(() => noGrad(() => valuesOf(tensor).to(type).toDevice("cpu").toBytes()));
    })(),
  );
}

/** The element type that a tensor is written in. */
export const writtenType = (tensor: Tensor, dtype: DType | undefined): DType =>
  dtype !== undefined && isFloating(tensor.dtype) ? dtype : tensor.dtype;

const LAYOUT_ORDER = Object.values(SAFETENSORS_DTYPES);
const compareCodePoints = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
