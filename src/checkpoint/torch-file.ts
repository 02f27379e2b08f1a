import { LlavaError } from "../errors.ts";
import { readStoredZip } from "../files/index.ts";
import { aten, byteWidth, type DType, MappedFile, scope, type Tensor } from "../torch/index.ts";
import { FOREIGN_TYPES, type ForeignType, isForeign, readForeign } from "./foreign-types.ts";
import { type PickleGlobal, unpickle } from "./pickle.ts";
import { mappedTensor } from "./safetensors.ts";
import { type TensorSource, tableSource } from "./source.ts";

/** One-dimensional memory that tensors are views of. */
interface Storage {
  readonly key: string;
  readonly dtype: DType | ForeignType;
  readonly elements: number;
}

/** A view of a storage; offset and strides in elements. */
class StoredTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];

  constructor(storage: Storage, offset: number, shape: readonly number[], stride: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.stride = stride;
  }
}

/** A file's content before any tensor is read. */
interface TorchArchive {
  readonly value: unknown;
  /** Where a storage's bytes begin in the file, and how many there are. */
  readonly locate: (storage: Storage) => { offset: number; byteLength: number } | undefined;
}

const STORAGE_TYPES: Readonly<Record<string, DType | ForeignType>> = {
  FloatStorage: "float32",
  DoubleStorage: "float64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
  ComplexFloatStorage: "C64",
};

/** Newer types, which have no storages of their own: torch's names. */
const UNTYPED: Readonly<Record<string, ForeignType>> = {
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  float8_e8m0fnu: "F8_E8M0",
  uint16: "U16",
  uint32: "U32",
  uint64: "U64",
};

const widthOf = (dtype: DType | ForeignType): number =>
  isForeign(dtype) ? FOREIGN_TYPES[dtype].bits / 8 : byteWidth[dtype];

const WRAPPERS = ["state_dict", "model_state_dict", "model"];
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
const MAX_DIMENSIONS = 64;
const MAX_LEGACY_PICKLES = 256 << 20;

/**
 * Opens a state dict saved by torch.save (`.pth`, `.pt`, `.bin`): the zip format or the one before it. A dict that holds
 * the state dict under `state_dict`, `model_state_dict` or `model` is looked into. Nothing in the file is executed.
 */
export function openTorchFile(path: string): TensorSource {
  const file = MappedFile.open(path);
  const isZip = file.byteLength >= 4 && Buffer.from(file.bytes(0, 4)).toString("latin1") === "PK\x03\x04";
  const archive = isZip ? readZipArchive(file) : readLegacyArchive(file);
  const tensors = new Map(
    [...stateDict(archive.value, path)].map(([name, tensor]) => [name, locate(name, tensor, archive, file)]),
  );
  return tableSource(path, tensors, {
    info: ({ tensor }) => ({ dtype: tensor.storage.dtype, shape: tensor.shape }),
    read: ({ tensor, start }, name, wanted) => {
      const { dtype } = tensor.storage;
      if (!isForeign(dtype)) return readTensor(file, start, tensor, dtype).to(wanted ?? dtype);
      const bits = () => readTensor(file, start, tensor, "uint8");
      return readForeign({ where: path, name, type: dtype }, bits, wanted);
    },
  });
}

function readZipArchive(file: MappedFile): TorchArchive {
  const where = file.path;
  const entries = readStoredZip(file, where);
  const pickleName = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  const pickle = pickleName === undefined ? undefined : entries.get(pickleName);
  if (pickleName === undefined || !pickle) {
    throw new LlavaError(
      "checkpoint",
      `${where}: a zip archive without data.pkl; expected one made by torch.save`,
      { hint: "Unpack it, and give what is inside; or download the file again." },
    );
  }
  const root = pickleName.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (
    order &&
    Buffer.from(file.bytes(order.offset, order.offset + order.byteLength)).toString() !== "little"
  ) {
    throw new LlavaError("checkpoint", `${where}: big-endian data; only little-endian is read`);
  }
  const bytes = file.bytes(pickle.offset, pickle.offset + pickle.byteLength);
  const { value } = unpickle(bytes, 0, { where, globals: GLOBALS, persistent: (id) => storageOf(id, where) });
  return { value, locate: ({ key }) => entries.get(`${root}data/${key}`) };
}

/** Before 2020: five pickles (magic, protocol, system, object, storage keys), then each storage's length and bytes. */
function readLegacyArchive(file: MappedFile): TorchArchive {
  const where = file.path;
  const bytes = file.bytes(0, Math.min(file.byteLength, MAX_LEGACY_PICKLES));
  const storages = new Map<string, Storage>();
  const persistent = (id: unknown) => {
    const storage = storageOf(id, where);
    storages.set(storage.key, storage);
    return storage;
  };
  let end = 0;
  const next = (): unknown => {
    const pickle = unpickle(bytes, end, { where, globals: GLOBALS, persistent });
    end = pickle.end;
    return pickle.value;
  };
  if (bytes[0] !== 0x80 || next() !== LEGACY_MAGIC || next() !== LEGACY_PROTOCOL) {
    throw new LlavaError("checkpoint", `${where}: not a file written by torch.save`, {
      hint: "Check that the download finished, and that the file holds weights.",
    });
  }
  next();
  const value = next();
  const keys = next();

  const places = new Map<string, { offset: number; byteLength: number }>();
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = storages.get(String(key));
    if (!storage) continue;
    const byteLength = storage.elements * widthOf(storage.dtype);
    places.set(storage.key, { offset: end + 8, byteLength });
    end += 8 + byteLength;
  }
  return { value, locate: ({ key }) => places.get(key) };
}

/** ("storage", type, key, device, elements): torch's persistent ids. */
function storageOf(id: unknown, where: string): Storage {
  const [kind, dtype, key, , elements] = Array.isArray(id) ? id : [];
  const known = kind === "storage" && typeof dtype === "string" && (dtype in byteWidth || isForeign(dtype));
  if (!known || typeof key !== "string" || !isSize(elements)) {
    throw new LlavaError("checkpoint", `${where}: damaged pickle: a tensor refers to storage ${String(id)}`);
  }
  return { key, dtype: dtype as Storage["dtype"], elements };
}

const rebuildTensor = (storage: unknown, offset: unknown, shape: unknown, stride: unknown): StoredTensor =>
  new StoredTensor(storage as Storage, offset as number, shape as number[], stride as number[]);

/** A storage without a type of its own, counted in bytes, seen as `dtype`. */
const rebuildUntyped = (
  storage: unknown,
  offset: unknown,
  shape: unknown,
  stride: unknown,
  ...[, , dtype]: unknown[]
): StoredTensor => {
  const { key = "", elements = 0 } = (storage ?? {}) as Partial<Storage>;
  const typed =
    typeof dtype === "string" && isForeign(dtype)
      ? { key, dtype, elements: Math.floor(elements / widthOf(dtype)) }
      : undefined;
  return new StoredTensor(typed as Storage, offset as number, shape as number[], stride as number[]);
};

/** All that a state dict's pickle may import. */
const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ["collections.OrderedDict", { call: (pairs: unknown) => new Map((pairs ?? []) as [unknown, unknown][]) }],
  ["torch.Size", { call: (sizes: unknown) => sizes }],
  ["torch._utils._rebuild_tensor", { call: rebuildTensor }],
  ["torch._utils._rebuild_tensor_v2", { call: rebuildTensor }],
  ["torch._utils._rebuild_tensor_v3", { call: rebuildUntyped }],
  ["torch.storage.UntypedStorage", { value: "uint8" }],
  ["torch._utils._rebuild_parameter", { call: (data: unknown) => data }],
  ...Object.entries({ ...STORAGE_TYPES, ...UNTYPED }).map(([name, value]): [string, PickleGlobal] => [
    `torch.${name}`,
    { value },
  ]),
]);

/** The tensors of a dict, or of the dict inside it under one of the usual names; values of other kinds are left out. */
function stateDict(value: unknown, where: string): Map<string, StoredTensor> {
  if (value instanceof Map) {
    const tensors = [...value].filter(
      ([name, tensor]) => typeof name === "string" && tensor instanceof StoredTensor,
    );
    if (tensors.length > 0) return new Map(tensors as [string, StoredTensor][]);
    const wrapped = WRAPPERS.map((key) => value.get(key)).find((inner) => inner instanceof Map);
    if (wrapped && wrapped !== value)
      return stateDict(new Map([...wrapped].filter(([key]) => !WRAPPERS.includes(key))), where);
  }
  throw new LlavaError("checkpoint", `${where}: holds no state dict: expected a dict of names to tensors`, {
    hint: "Save model.state_dict(), not the model.",
  });
}

/** Checks a tensor against its storage and the storage against the file. */
function locate(name: string, tensor: StoredTensor, archive: TorchArchive, file: MappedFile) {
  const { storage, offset, shape, stride } = tensor;
  const damaged = (what: string) =>
    new LlavaError("checkpoint", `${file.path}: damaged state dict: ${name} ${what}`, {
      hint: "Download the file again, or save the state dict again with torch.save.",
    });
  const sized = isSize(offset) && isSizes(shape) && isSizes(stride) && shape.length === stride.length;
  if (!sized || typeof storage?.key !== "string") throw damaged("has no valid shape, strides and storage");

  const elements = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce((index, size, dim) => index + (size - 1) * stride[dim]!, offset);
  if (elements > storage.elements || (elements > 0 && last >= storage.elements)) {
    throw damaged(
      `of shape [${shape.join(", ")}] reaches beyond its storage of ${storage.elements} elements`,
    );
  }
  const place = archive.locate(storage);
  if (!place) throw damaged(`refers to storage ${storage.key}, which is not in the file`);
  const expected = storage.elements * widthOf(storage.dtype);
  if (place.byteLength < expected || place.offset + expected > file.byteLength) {
    const found = Math.min(place.byteLength, file.byteLength - place.offset);
    throw damaged(`is cut short: storage ${storage.key} has ${found} bytes; expected ${expected}`);
  }
  return { tensor, start: place.offset };
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MAX_DIMENSIONS && value.every(isSize);

function readTensor(
  file: MappedFile,
  start: number,
  { storage, offset, shape, stride }: StoredTensor,
  dtype: DType,
): Tensor {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (isContiguous(shape, stride)) return mappedTensor(file, start + offset * byteWidth[dtype], shape, dtype);
  if (elements === 0) return mappedTensor(file, start, shape, dtype);
  return scope(() =>
    aten.asStrided(mappedTensor(file, start, [storage.elements], dtype), shape, stride, offset).contiguous(),
  );
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    if (shape[dim] !== 1 && stride[dim] !== expected) return false;
    expected *= shape[dim]!;
  }
  return true;
}
