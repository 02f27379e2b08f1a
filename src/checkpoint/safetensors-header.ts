import { LlavaError } from "../errors.ts";
import { parseJsonObject } from "../files/index.ts";
import { byteWidth, type DType } from "../torch/index.ts";
import { FOREIGN_TYPES, type ForeignType, isForeign } from "./foreign-types.ts";

interface SafetensorsEntry {
  readonly dtype: DType | ForeignType;
  readonly shape: readonly number[];
  /** Position in the file, bytes. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/** The format's names for element types, in the order in which the reference writer lays tensors out. */
export const SAFETENSORS_DTYPES = {
  int64: "I64",
  float64: "F64",
  float32: "F32",
  int32: "I32",
  bfloat16: "BF16",
  float16: "F16",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
} as const satisfies Partial<Record<DType, string>>;

const DTYPES: ReadonlyMap<string, DType> = new Map(
  Object.entries(SAFETENSORS_DTYPES).map(([dtype, stored]) => [stored, dtype as DType]),
);

/** The reference implementation's limit, bytes. */
export const MAX_HEADER = 100_000_000;

/** The length of the JSON that follows the first eight bytes, checked against the file's. */
export function safetensorsHeaderLength(prefix: Uint8Array, fileLength: number, where: string): number {
  if (prefix.byteLength < 8) {
    throw damaged(where, `${fileLength} bytes long; a safetensors file has at least 8`);
  }
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER)
    throw damaged(where, `a header of ${length} bytes; at most ${MAX_HEADER} are allowed`);
  if (8 + length > fileLength) {
    throw damaged(where, `cut short: the header ends at byte ${8 + length} of a file of ${fileLength}`);
  }
  return length;
}

/**
 * Parses the JSON of a safetensors header. The tensors must fill the rest of the file exactly, without holes or
 * overlaps, as the format demands: a damaged file is found here, not in a wrong answer later.
 */
export function parseSafetensorsHeader(
  json: Uint8Array,
  fileLength: number,
  where: string,
): SafetensorsHeader {
  const { __metadata__: metadata, ...entries } = parseJsonObject(json, where);
  const dataStart = 8 + json.byteLength;
  const spans = Object.entries(entries).map(([name, entry]) => ({ name, ...checkEntry(name, entry, where) }));
  spans.sort((a, b) => a.start - b.start || a.end - b.end);

  const tensors = new Map<string, SafetensorsEntry>();
  let previous = { name: "the header", end: 0 };
  for (const span of spans) {
    if (span.start !== previous.end) {
      const relation = span.start < previous.end ? "overlaps" : "leaves a hole after";
      throw damaged(
        where,
        `${span.name} at data byte ${span.start} ${relation} ${previous.name}, ending at ${previous.end}`,
      );
    }
    previous = span;
    const { name, dtype, shape, start, end } = span;
    tensors.set(name, { dtype, shape, offset: dataStart + start, byteLength: end - start });
  }
  if (dataStart + previous.end !== fileLength) {
    const problem = dataStart + previous.end > fileLength ? "cut short" : "bytes follow the last tensor";
    throw damaged(
      where,
      `${problem}: ${previous.name} ends at byte ${dataStart + previous.end} of a file of ${fileLength}`,
    );
  }
  return { metadata: checkMetadata(metadata, where), tensors };
}

function checkEntry(name: string, entry: unknown, where: string) {
  const { dtype: stored, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const dtype = typeof stored === "string" ? typeOf(stored) : undefined;
  if (!dtype) {
    throw new LlavaError(
      "checkpoint",
      `${where}: ${name} has dtype ${JSON.stringify(stored)}; known are ${[...DTYPES.keys(), ...Object.keys(FOREIGN_TYPES)].join(", ")}`,
      { hint: "Convert the checkpoint to float32, bfloat16 or float16 with the library that made it." },
    );
  }
  if (!isSizes(shape)) throw damaged(where, `${name} has shape ${JSON.stringify(shape)}; expected sizes`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw damaged(where, `${name} has data_offsets ${JSON.stringify(offsets)}; expected [start, end]`);
  }
  const [start, end] = offsets as [number, number];
  const bits = isForeign(dtype) ? FOREIGN_TYPES[dtype].bits : 8 * byteWidth[dtype];
  const expected = shape.reduce((product, size) => product * size, bits) / 8;
  if (end - start !== expected) {
    throw damaged(
      where,
      `${name} has ${end - start} bytes; ${String(stored)} of shape [${shape.join(", ")}] has ${expected}`,
    );
  }
  return { dtype, shape, start, end };
}

const typeOf = (stored: string): DType | ForeignType | undefined =>
  isForeign(stored) ? stored : DTYPES.get(stored);

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function checkMetadata(value: unknown, where: string): ReadonlyMap<string, string> {
  const entries = Object.entries((value ?? {}) as object);
  for (const [key, text] of entries) {
    if (typeof text !== "string")
      throw damaged(where, `__metadata__.${key} is ${typeof text}; expected a string`);
  }
  return new Map(entries);
}

function damaged(where: string, what: string): LlavaError {
  return new LlavaError("checkpoint", `${where}: damaged safetensors file: ${what}`, {
    hint: "Download or write the file again.",
  });
}
