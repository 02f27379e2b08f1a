import { type StoredEntry, storedZip, writeAtomically } from "../files/index.ts";
import type { DType, Tensor } from "../torch/index.ts";

const STORAGES: Readonly<Record<DType, string>> = {
  float32: "FloatStorage",
  float64: "DoubleStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
  int64: "LongStorage",
  int32: "IntStorage",
  int16: "ShortStorage",
  int8: "CharStorage",
  uint8: "ByteStorage",
  bool: "BoolStorage",
};

/**
 * Writes a state dict as torch.save does, for readers that know no other container: the original LLaVA code's of projectors.
 * @throws LlavaError "usage" above 4 GB
 */
export function writeTorchFile(path: string, tensors: ReadonlyMap<string, Tensor>): void {
  const pickle: Uint8Array[] = [Buffer.from("\x80\x02}(", "latin1")];
  const entries: StoredEntry[] = [];
  let key = 0;
  for (const [name, tensor] of tensors) {
    pickle.push(text(name), pickledTensor(tensor, String(key)));
    entries.push({ name: `archive/data/${key++}`, bytes: () => tensor.toBytes() });
  }
  pickle.push(Buffer.from("u."));
  const small = {
    "data.pkl": Buffer.concat(pickle),
    byteorder: Buffer.from("little"),
    version: Buffer.from("3\n"),
  };
  const others = Object.entries(small).map(([name, bytes]) => ({
    name: `archive/${name}`,
    bytes: () => bytes,
  }));
  writeAtomically(path, storedZip([...others, ...entries], path));
}

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(5, "X");
  length.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([length, bytes]);
};

function whole(value: number): Buffer {
  const bytes = Buffer.alloc(5, "J");
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks) */
function pickledTensor({ dtype, shape, elements }: Tensor, key: string): Buffer {
  const strides = shape.map((_, at) => shape.slice(at + 1).reduce((product, size) => product * size, 1));
  const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);
  const tuple = (...parts: Buffer[]) => Buffer.concat([Buffer.from("("), ...parts, Buffer.from("t")]);
  const storage = tuple(
    text("storage"),
    global("torch", STORAGES[dtype]),
    text(key),
    text("cpu"),
    whole(elements),
  );
  const hooks = Buffer.concat([global("collections", "OrderedDict"), Buffer.from(")R")]);
  return Buffer.concat([
    global("torch._utils", "_rebuild_tensor_v2"),
    tuple(
      Buffer.concat([storage, Buffer.from("Q")]),
      whole(0),
      tuple(...shape.map(whole)),
      tuple(...strides.map(whole)),
      Buffer.from([0x89]),
      hooks,
    ),
    Buffer.from("R"),
  ]);
}
