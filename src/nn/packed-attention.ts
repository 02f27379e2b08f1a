import { aten, longTensor, type Tensor } from "../torch/index.ts";

/** Sequences end to end. A sequence's queries stand at its end: each sees the keys up to its own place. */
export interface PackedSequences {
  /** Of queries and of keys that each sequence has. */
  readonly lengths: readonly (readonly [queries: number, keys: number])[];
  /** int32 [N + 1]: where sequences begin among the queries, and where the last one ends; the same among the keys. */
  readonly queryStarts: Tensor;
  readonly keyStarts: Tensor;
  readonly longest: readonly [queries: number, keys: number];
  /** int64: the positions whose keys the sequences see, one after the other; undefined where they are the queries' own. */
  readonly keyPlaces: Tensor | undefined;
}

/**
 * What blocks side by side see, as sequences: a block is one, causal; of one with branches the prefix is one, and each branch
 * another, whose keys are the prefix's and its own. So a prefix is computed once, and its keys' gradients add up.
 */
export function packedSequences(
  blocks: readonly { readonly length: number; readonly branches?: readonly number[] }[],
  device: string,
): PackedSequences {
  const lengths: [number, number][] = [];
  const places: number[] = [];
  const see = (from: number, count: number): void => {
    for (let i = 0; i < count; i++) places.push(from + i);
  };
  let at = 0;
  for (const { length, branches = [] } of blocks) {
    const [prefix = length, ...others] = branches;
    const start = at;
    if (prefix > 0) lengths.push([prefix, prefix]);
    see(start, prefix);
    at += prefix;
    for (const own of others) {
      if (own > 0) {
        lengths.push([own, prefix + own]);
        see(start, prefix);
        see(at, own);
      }
      at += own;
    }
  }
  const startsOf = (side: 0 | 1): Tensor => {
    let end = 0;
    return longTensor([0, ...lengths.map((pair) => (end += pair[side]))])
      .to("int32")
      .toDevice(device);
  };
  return {
    lengths,
    queryStarts: startsOf(0),
    keyStarts: startsOf(1),
    longest: [Math.max(...lengths.map(([queries]) => queries)), Math.max(...lengths.map(([, keys]) => keys))],
    keyPlaces: places.length === at ? undefined : longTensor(places).toDevice(device),
  };
}

/** query [T, H, d], key and value [K, Hkv, d] of sequences end to end → [T, H, d] */
export type PackedKernel = (query: Tensor, key: Tensor, value: Tensor, sequences: PackedSequences) => Tensor;

/** FlashAttention (arXiv 2307.08691) over sequences of different lengths: on CUDA, in 16 bits, up to 256 numbers a head. */
const flashAttention: PackedKernel = (query, key, value, { queryStarts, keyStarts, longest }) => {
  const [output] = aten.flashAttention(query, key, value, queryStarts, keyStarts, ...longest, 0, true, false);
  return output;
};

/** Whether the kernel takes such queries. */
export const takesPacked = ({ device, dtype, shape }: Tensor): boolean =>
  device !== "cpu" && (dtype === "bfloat16" || dtype === "float16") && shape.at(-1)! <= 256;

/** query [1, H, T, d]; key, value [1, Hkv, T, d] of a row of sequences → [1, T, H·d] */
export function attendPacked(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  sequences: PackedSequences,
  kernel: PackedKernel = flashAttention,
): Tensor {
  const { keyPlaces } = sequences;
  const byToken = (x: Tensor): Tensor => x.select(0, 0).transpose(0, 1); // [T, H, d]
  const seen = (x: Tensor): Tensor => (keyPlaces ? aten.indexSelect(byToken(x), 0, keyPlaces) : byToken(x));
  const [, heads, length, headDim] = query.shape as [number, number, number, number];
  return kernel(byToken(query), seen(key), seen(value), sequences).reshape([1, length, heads * headDim]);
}
