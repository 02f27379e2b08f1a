import { arange, scaledDotProductAttention, type Tensor } from "../torch/index.ts";

/**
 * Which positions see which: causal, or a mask [B or 1, 1, Tq, Tk] (boolean, true = attend; or additive), or undefined =
 * every query sees every key.
 */
export type AttentionMask = { readonly causal: true } | { readonly mask: Tensor | undefined };

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
  const [batch, heads, queries, headDim] = query.shape as [number, number, number, number];
  const groups = heads / key.size(1);
  const mask = "mask" in attention ? attention.mask : undefined;
  const causal = "causal" in attention;
  if (queries === 1 && groups > 1 && mask === undefined) {
    // One query sees all keys: the heads of a group become its rows, and no key is repeated in memory.
    const rows = query.reshape([batch, heads / groups, groups, headDim]);
    return scaledDotProductAttention(rows, key, value).reshape([batch, 1, heads * headDim]);
  }
  const output = scaledDotProductAttention(query, key, value, { mask, causal, groupedQuery: groups > 1 });
  return output.transpose(1, 2).reshape([batch, queries, heads * headDim]);
}
