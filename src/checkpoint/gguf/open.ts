import { type DType, MappedFile, scope, type Tensor } from "../../torch/index.ts";
import { nameFromGguf, pairedRotaryHeads } from "../gguf-llama.ts";
import { mappedTensor } from "../safetensors.ts";
import { type TensorSource, tableSource } from "../source.ts";
import { dequantize } from "./dequantize.ts";
import { type GgufHeader, type GgufTensorInfo, readGgufHeader } from "./header.ts";
import type { GgufType } from "./types.ts";

export interface GgufSource extends TensorSource {
  readonly header: GgufHeader;
}

const PLAIN_TYPES: Partial<Record<GgufType, DType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/**
 * Opens a GGUF file of a Llama or Qwen2 decoder under Hugging Face names (`model.layers.0.self_attn.q_proj.weight`) and
 * in Hugging Face's order of rotary dimensions. Quantised tensors are dequantised as they are read.
 */
export function openGguf(path: string): GgufSource {
  const header = readGgufHeader(path);
  const file = MappedFile.open(path);
  const entries = new Map(
    [...header.tensors].map(([name, tensor]) => [
      nameFromGguf(name),
      { tensor, heads: pairedRotaryHeads(name, header, path) },
    ]),
  );
  const source = tableSource(path, entries, {
    info: ({ tensor }) => ({ dtype: tensor.layout.type, shape: tensor.shape }),
    read: ({ tensor, heads }, _, dtype) =>
      scope(() => {
        const values = readTensor(file, tensor, dtype);
        return heads === undefined ? values : splitRotaryPairs(values, heads);
      }),
  });
  return { ...source, header };
}

function readTensor(file: MappedFile, { layout, shape, offset }: GgufTensorInfo, dtype?: DType): Tensor {
  const plain = PLAIN_TYPES[layout.type];
  if (plain) return mappedTensor(file, offset, shape, plain).to(dtype ?? plain);
  return dequantize(file, offset, shape, layout, dtype ?? "float32");
}

/** Rows of each head from rotary pairs to halves: [heads, d/2, 2, …] → [heads, 2, d/2, …]. */
function splitRotaryPairs(values: Tensor, heads: number): Tensor {
  const { shape } = values;
  return values
    .reshape([heads, -1, 2, ...shape.slice(1)])
    .transpose(1, 2)
    .reshape(shape);
}
