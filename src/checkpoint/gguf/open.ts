import {
  type Blocks,
  type DType,
  dequantize,
  MappedFile,
  releasePages,
  scope,
  type Tensor,
} from "../../torch/index.ts";
import type { Naming } from "../naming.ts";
import { mappedTensor } from "../safetensors.ts";
import { type TensorSource, tableSource } from "../source.ts";
import { type GgufHeader, type GgufTensorInfo, readGgufHeader } from "./header.ts";
import type { GgufType } from "./types.ts";

export interface GgufSource extends TensorSource {
  readonly header: GgufHeader;
}

const PLAIN_TYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const satisfies Partial<
  Record<GgufType, DType>
>;

/** What an architecture's GGUF files have of their own. */
export interface GgufDialect {
  /** Stored names and those of Hugging Face's language model alone (`model.layers.0.self_attn.q_proj.weight`). */
  readonly names: Naming;
  /** Heads of a tensor whose rows lie in rotary pairs (0, d/2, 1, d/2 + 1, …), not in Hugging Face's halves. */
  pairedRotaryHeads?(
    stored: string,
    about: { readonly metadata: ReadonlyMap<string, unknown>; readonly rows: number; readonly where: string },
  ): number | undefined;
  /** Whether a tensor holds no weights, but what the configuration is made of. */
  isSetting?(stored: string): boolean;
}

/** The dialect of what a file says of `general.architecture`; undefined for one that is not known. */
export type GgufDialects = (architecture: unknown, header: GgufHeader) => GgufDialect | undefined;

/**
 * Opens a GGUF file under Hugging Face's names and in its order of rotary dimensions; as it is stored where its
 * architecture's dialect is not known. Quantised tensors are dequantised as they are read.
 * @param header of the file, where it has been read
 */
export function openGguf(
  path: string,
  dialectOf: GgufDialects = () => undefined,
  header = readGgufHeader(path),
): GgufSource {
  const dialect = dialectOf(header.metadata.get("general.architecture"), header);
  const file = MappedFile.open(path);
  const entries = new Map(
    [...header.tensors]
      .filter(([name]) => !dialect?.isSetting?.(name))
      .map(([name, tensor]) => [
        dialect?.names.read(name) ?? name,
        {
          tensor,
          heads: dialect?.pairedRotaryHeads?.(name, {
            metadata: header.metadata,
            rows: tensor.shape[0] ?? 0,
            where: path,
          }),
        },
      ]),
  );
  const source = tableSource(path, entries, {
    info: ({ tensor }) => ({ dtype: tensor.layout.type, shape: tensor.shape }),
    read: ({ tensor, heads }, _, dtype) =>
      scope(() => {
        const values = readTensor(file, tensor, dtype);
        return heads === undefined ? values : splitRotaryPairs(values, heads);
      }),
    blocks({ tensor, heads }) {
      const stored = readBlocks(file, tensor);
      if (stored === undefined || heads === undefined) return stored;
      using paired = stored.blocks;
      const blocks = scope(() => splitRotaryPairs(paired, heads));
      releasePages(paired);
      return { ...stored, blocks };
    },
  });
  return { ...source, header };
}

function readTensor(file: MappedFile, tensor: GgufTensorInfo, dtype?: DType): Tensor {
  const { layout, shape, offset } = tensor;
  const stored = readBlocks(file, tensor);
  if (stored !== undefined) {
    const values = dequantize(stored.blocks, stored.type, dtype).reshape(shape);
    releasePages(stored.blocks);
    return values;
  }
  const plain = PLAIN_TYPES[layout.type as keyof typeof PLAIN_TYPES];
  return mappedTensor(file, offset, shape, plain).to(dtype ?? plain);
}

/** A tensor's rows as blocks in the mapped file; undefined for one of a plain type. */
function readBlocks(file: MappedFile, { layout, shape, offset }: GgufTensorInfo): Blocks | undefined {
  const { type, blockElements, blockBytes } = layout;
  if (type === "F32" || type === "F16" || type === "BF16") return undefined;
  const width = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  return { type, blocks: file.tensor(offset, [rows, (width / blockElements) * blockBytes], "uint8") };
}

/** Rows of each head from rotary pairs to halves: [heads, d/2, 2, …] → [heads, 2, d/2, …]. */
function splitRotaryPairs(values: Tensor, heads: number): Tensor {
  const { shape } = values;
  return values
    .reshape([heads, -1, 2, ...shape.slice(1)])
    .transpose(1, 2)
    .reshape(shape);
}

/** Rows of each head from halves to rotary pairs: [heads, 2, d/2, …] → [heads, d/2, 2, …]. */
export function joinRotaryPairs(values: Tensor, heads: number): Tensor {
  const { shape } = values;
  return values
    .reshape([heads, 2, -1, ...shape.slice(1)])
    .transpose(1, 2)
    .reshape(shape);
}
