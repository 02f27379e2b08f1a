import { LlavaError } from "../../errors.ts";
import { readPrefix } from "../../files/index.ts";
import { GGUF_TYPES, type GgufTypeLayout, UNREAD_GGUF_TYPES } from "./types.ts";

export interface GgufTensorInfo {
  readonly layout: GgufTypeLayout;
  /** Row-major, slowest dimension first (the file stores the reverse). */
  readonly shape: readonly number[];
  /** Position in the file, bytes. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly version: number;
  /** Arrays come as plain arrays; 64-bit integers as numbers where exact, else as bigint. */
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
}

const MAGIC = 0x46554747; // "GGUF", little endian
const MAX_DIMENSIONS = 4;
const MAX_ARRAY_DEPTH = 4;

const MAX_ITEMS = 1 << 27;
const FIRST_READ = 4 << 20;

/** Reads the header of a GGUF file, version 2 or 3: the first few megabytes, and more only where they do not suffice. */
export function readGgufHeader(path: string): GgufHeader {
  for (let length = FIRST_READ; ; length *= 4) {
    const { bytes, fileLength } = readPrefix(path, length);
    try {
      return parseGgufHeader(bytes, path, fileLength);
    } catch (error) {
      if (!(error instanceof EndOfBytes) || bytes.byteLength === fileLength) throw error;
    }
  }
}

/** A small vector of float32 in a file, where a configuration is made of it. */
export function readGgufVector(path: string, { layout, offset, byteLength }: GgufTensorInfo): number[] {
  if (layout.type !== "F32")
    throw new LlavaError("checkpoint", `${path}: a vector of ${layout.type}; expected F32`);
  const { bytes } = readPrefix(path, byteLength, offset);
  return Array.from({ length: byteLength / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

/**
 * Parses the header from the first bytes of a file of `fileLength` bytes. Every count and offset is checked against
 * the lengths before it is used.
 */
export function parseGgufHeader(bytes: Uint8Array, where: string, fileLength = bytes.byteLength): GgufHeader {
  const reader = new GgufReader(bytes, where);
  if (bytes.byteLength < 4 || reader.uint32() !== MAGIC) {
    throw new LlavaError("checkpoint", `${where}: not a GGUF file: it does not begin with "GGUF"`, {
      hint: "Check that the download finished, and that the file holds weights.",
    });
  }
  const version = reader.uint32();
  if (version !== 2 && version !== 3) {
    throw new LlavaError("checkpoint", `${where}: GGUF version ${version}; versions 2 and 3 are read`, {
      hint:
        version > 0xffff ? "The file is big endian; convert it to little endian." : "Convert the file anew.",
    });
  }
  const tensorCount = reader.count(24, "tensors");
  const metadataCount = reader.count(13, "metadata entries");

  const metadata = new Map<string, unknown>();
  for (let i = 0; i < metadataCount; i++) {
    const key = reader.string();
    if (metadata.has(key)) throw reader.error(`metadata key ${key} occurs twice`);
    metadata.set(key, reader.value(reader.uint32(), key));
  }

  const entries = Array.from({ length: tensorCount }, () => readTensorEntry(reader));
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment <= 0 || alignment % 8 !== 0) {
    throw reader.error(`general.alignment is ${String(alignment)}; expected a multiple of 8`);
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment;

  const tensors = new Map<string, GgufTensorInfo>();
  for (const { name, layout, shape, offset } of entries) {
    const byteLength = (shape.reduce((a, b) => a * b, 1) / layout.blockElements) * layout.blockBytes;
    const start = dataStart + offset;
    if (start + byteLength > fileLength) {
      throw new LlavaError(
        "checkpoint",
        `${where}: cut short: ${name} ends at byte ${start + byteLength} of a file of ${fileLength}`,
        { hint: "Download the file again." },
      );
    }
    if (offset % alignment !== 0)
      throw reader.error(`${name} begins at ${offset}, not a multiple of ${alignment}`);
    if (tensors.has(name)) throw reader.error(`tensor ${name} occurs twice`);
    tensors.set(name, { layout, shape, offset: start, byteLength });
  }
  return { version, metadata, tensors };
}

function readTensorEntry(reader: GgufReader) {
  const name = reader.string();
  const dimensions = reader.uint32();
  if (dimensions > MAX_DIMENSIONS) {
    throw reader.error(`${name} has ${dimensions} dimensions; at most ${MAX_DIMENSIONS} are allowed`);
  }
  const shape = Array.from({ length: dimensions }, () => reader.size()).reverse();
  const typeId = reader.uint32();
  const layout = GGUF_TYPES.get(typeId);
  if (!layout) {
    const known = [...GGUF_TYPES.values()].map(({ type }) => type).join(", ");
    throw new LlavaError(
      "checkpoint",
      `${reader.where}: ${name} has type ${UNREAD_GGUF_TYPES[typeId] ?? "unknown"} (${typeId}); read are ${known}`,
      { hint: "Use another quantisation of the model." },
    );
  }
  if ((shape.at(-1) ?? 1) % layout.blockElements !== 0) {
    throw reader.error(
      `${name} has rows of ${shape.at(-1)}, not a multiple of ${layout.type}'s ${layout.blockElements}`,
    );
  }
  const offset = reader.size();
  return { name, layout, shape, offset };
}

/** The bytes at hand end inside the header. */
class EndOfBytes extends LlavaError {}

/** Reads little-endian values one after another; running past the end is a LlavaError that says where. */
class GgufReader {
  readonly where: string;
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array, where: string) {
    this.where = where;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  error(what: string): LlavaError {
    return new LlavaError("checkpoint", `${this.where}: damaged GGUF header: ${what}`, {
      hint: "Download or convert the file again.",
    });
  }

  #take(byteLength: number): number {
    const start = this.position;
    if (byteLength > this.#bytes.byteLength - start) {
      throw new EndOfBytes(
        "checkpoint",
        `${this.where}: cut short in the header: ${byteLength} bytes wanted at ${start} of ${this.#bytes.byteLength}`,
        { hint: "Download the file again." },
      );
    }
    this.position = start + byteLength;
    return start;
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** An unsigned 64-bit size, refused where a number could not hold it exactly. */
  size(): number {
    const value = this.#bytes.readBigUInt64LE(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.error(`a size of ${value}`);
    return Number(value);
  }

  /** A count of things of at least `minimumBytes` each, so that no array is made larger than the file allows. */
  count(minimumBytes: number, things: string): number {
    const count = this.size();
    if (count > MAX_ITEMS) throw this.error(`${count} ${things}`);
    this.#take(count * minimumBytes);
    this.position -= count * minimumBytes;
    return count;
  }

  string(): string {
    const length = this.size();
    const start = this.#take(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  value(type: number, key: string, depth = 0): unknown {
    const scalar = SCALARS[type];
    if (scalar) return scalar.read(this.#bytes, this.#take(scalar.bytes));
    if (type === STRING) return this.string();
    if (type !== ARRAY) throw this.error(`${key} has value type ${type}`);
    if (depth === MAX_ARRAY_DEPTH) throw this.error(`${key} nests arrays deeper than ${MAX_ARRAY_DEPTH}`);
    const itemType = this.uint32();
    const itemBytes = SCALARS[itemType]?.bytes ?? (itemType === ARRAY ? 12 : 8);
    const length = this.count(itemBytes, `items of ${key}`);
    const items: unknown[] = new Array(length);
    for (let i = 0; i < length; i++) items[i] = this.value(itemType, key, depth + 1);
    return items;
  }
}

const STRING = 8;
const ARRAY = 9;

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const SCALARS: Readonly<Record<number, { bytes: number; read(bytes: Buffer, at: number): unknown }>> = {
  0: { bytes: 1, read: (bytes, at) => bytes.readUInt8(at) },
  1: { bytes: 1, read: (bytes, at) => bytes.readInt8(at) },
  2: { bytes: 2, read: (bytes, at) => bytes.readUInt16LE(at) },
  3: { bytes: 2, read: (bytes, at) => bytes.readInt16LE(at) },
  4: { bytes: 4, read: (bytes, at) => bytes.readUInt32LE(at) },
  5: { bytes: 4, read: (bytes, at) => bytes.readInt32LE(at) },
  6: { bytes: 4, read: (bytes, at) => bytes.readFloatLE(at) },
  7: { bytes: 1, read: (bytes, at) => bytes.readUInt8(at) !== 0 },
  10: { bytes: 8, read: (bytes, at) => exact(bytes.readBigUInt64LE(at)) },
  11: { bytes: 8, read: (bytes, at) => exact(bytes.readBigInt64LE(at)) },
  12: { bytes: 8, read: (bytes, at) => bytes.readDoubleLE(at) },
};
