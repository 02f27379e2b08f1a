import {
  arange,
  aten,
  cat,
  isRecording,
  scaledDotProductAttention,
  softmax,
  type Tensor,
} from "../torch/index.ts";
import { attendPacked, type PackedSequences, takesPacked } from "./packed-attention.ts";

/**
 * Which positions see which: causal, or a mask [B or 1, 1, Tq, Tk] (boolean, true = attend; or additive), or undefined =
 * every query sees every key; or blocks of positions side by side that see nothing of each other. A query that sees no
 * key has no defined result.
 */
export type AttentionMask =
  | { readonly causal: true }
  | { readonly mask: Tensor | undefined }
  | {
      readonly blocks: readonly AttentionBlock[];
      /** The same as sequences, where there is a kernel for them. */
      readonly packed?: PackedSequences;
    };

/** So many positions, causal among themselves unless a mask [1, 1, length, length] says otherwise. */
export interface AttentionBlock {
  readonly length: number;
  readonly mask?: Tensor;
  /** Of one whose mask is that of a shared prefix with branches: the prefix's length, and each branch's. */
  readonly branches?: readonly number[];
}

/** Causal attention of `queries` new positions after `past` earlier ones. */
export function causalMask(queries: number, past: number, device: string): AttentionMask {
  if (past === 0) return { causal: true };
  if (queries === 1) return { mask: undefined };
  const keys = arange(0, past + queries, { device });
  const rows = arange(past, past + queries, { device }).unsqueeze(1);
  return { mask: keys.le(rows).reshape([1, 1, queries, past + queries]) };
}

/** query [B, H, Tq, d]; key, value [B, Hkv, Tk, d], H a multiple of Hkv → [B, Tq, H·d]. */
export function attend(query: Tensor, key: Tensor, value: Tensor, attention: AttentionMask): Tensor {
  if ("blocks" in attention)
    return attention.packed && takesPacked(query)
      ? attendPacked(query, key, value, attention.packed)
      : attendInBlocks(query, key, value, attention.blocks);
  const [batch, heads, queries, headDim] = query.shape as [number, number, number, number];
  const groups = heads / key.size(1);
  const mask = "mask" in attention ? attention.mask : undefined;
  const causal = "causal" in attention;
  if (queries === 1 && groups > 1) {
    // One query: the heads of a group, which see the same keys, become its rows, and no key is repeated in memory.
    const rows = query.reshape([batch, heads / groups, groups, headDim]);
    return scaledDotProductAttention(rows, key, value, { mask }).reshape([batch, 1, heads * headDim]);
  }
  const output =
    mask !== undefined && mask.device === "cpu" && key.size(2) <= shortRow && queries > 1
      ? attendExplicitly(query, key, value, mask)
      : scaledDotProductAttention(query, key, value, { mask, causal, groupedQuery: groups > 1 });
  return output.transpose(1, 2).reshape([batch, queries, heads * headDim]);
}

/** Time and memory are those of the blocks, not of the square that they lie in. */
function attendInBlocks(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  blocks: readonly AttentionBlock[],
): Tensor {
  const lengths = blocks.map(({ length }) => length);
  const [queries, keys, values] = [query, key, value].map((x) => x.split(lengths, 2));
  const attended = blocks.map(({ mask, length }, i) => {
    const short = query.device === "cpu" && length <= shortRow && isRecording();
    const seen = mask ?? (short ? lowerTriangle(length, query.device) : undefined);
    return attend(queries![i]!, keys![i]!, values![i]!, seen ? { mask: seen } : { causal: true });
  });
  return cat(attended, 1);
}

function lowerTriangle(length: number, device: string): Tensor {
  const positions = arange(0, length, { device });
  return positions.le(positions.unsqueeze(1)).reshape([1, 1, length, length]);
}

/** Up to this many keys, libtorch's blockwise CPU kernel and above all its backward pass lose to plain products. */
export const shortRow = 256;

/** softmax(q·kᵀ/√d + mask)·v, with the scores in float32 or wider; the query heads of a group are rows of one product. */
function attendExplicitly(query: Tensor, key: Tensor, value: Tensor, mask: Tensor): Tensor {
  const [batch, heads, queries, headDim] = query.shape as [number, number, number, number];
  const [, keyHeads, keys] = key.shape as [number, number, number, number];
  const precise = query.dtype === "float64" ? "float64" : "float32";
  const rows = [batch * keyHeads, (heads / keyHeads) * queries];
  const grouped = query.mul(1 / Math.sqrt(headDim)).reshape([...rows, headDim]);
  const products = aten.product(grouped, key.reshape([batch * keyHeads, keys, headDim]).transpose(1, 2));
  const scores = products.view([batch, heads, queries, keys]).to(precise);
  const masked =
    mask.dtype === "bool" ? scores.maskedFill(aten.logicalNot(mask), -Infinity) : scores.add(mask);
  const weights = softmax(masked, -1)
    .to(query.dtype)
    .view([...rows, keys]);
  return aten.product(weights, value.reshape([batch * keyHeads, keys, headDim])).view(query.shape);
}
