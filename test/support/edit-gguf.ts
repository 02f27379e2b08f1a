import {
  float32,
  type GgufValue,
  openGguf,
  type WrittenGgufTensor,
  type WrittenGgufType,
  writeGguf,
} from "../../src/checkpoint/index.ts";

type Values = Map<string, GgufValue>;
type Tensors = Map<string, WrittenGgufTensor>;

/** Writes a GGUF file anew after a change, under the names that it stores. */
export function editGguf(path: string, change: (metadata: Values, tensors: Tensors) => void): void {
  using source = openGguf(path);
  const metadata: Values = new Map(
    Array.from(source.header.metadata, ([key, value]): [string, GgufValue] => {
      if (typeof value === "number" && /epsilon$|freq_base$|factor$/.test(key)) return [key, float32(value)];
      if (!Array.isArray(value) || typeof value[0] === "string") return [key, value as GgufValue];
      return [
        key,
        /scores$|image_(?:mean|std)$/.test(key) ? Float32Array.from(value) : Int32Array.from(value),
      ];
    }),
  );
  const tensors: Tensors = new Map(
    Array.from(source.names(), (name): [string, WrittenGgufTensor] => {
      const values = source.read(name).clone();
      const { dtype: type, shape } = source.info(name);
      return [name, { type: type as WrittenGgufType, shape, read: () => values }];
    }),
  );
  change(metadata, tensors);
  writeGguf(path, metadata, tensors);
}
