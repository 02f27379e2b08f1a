import type { Llava } from "../models/index.ts";
import { type AttentionMask, causalMask } from "../nn/index.ts";
import { arange, aten, keep, longTensor, type Tensor } from "../torch/index.ts";

/** Rows of token ids brought to one length with padding on the left, so that all of them end at the same place. */
export class PaddedBatch implements Disposable {
  readonly length: number;
  /** int64 [B, length] */
  readonly inputIds: Tensor;
  readonly #device: string;
  /** int64 [B, 1], absent where no row is padded. */
  readonly #padding: Tensor | undefined;

  /** @param paddingId stands where nothing is; attention never sees it */
  constructor(rows: readonly (readonly number[])[], paddingId: number, device: string) {
    this.length = Math.max(...rows.map((row) => row.length));
    this.#device = device;
    const padding = rows.map((row) => this.length - row.length);
    const ids = rows.flatMap((row, index) => [...Array<number>(padding[index]!).fill(paddingId), ...row]);
    this.inputIds = keep(longTensor(ids, [rows.length, this.length]).toDevice(device));
    if (padding.some((count) => count > 0)) {
      this.#padding = keep(longTensor(padding, [rows.length, 1]).toDevice(device));
    }
  }

  /** Prompts of a model, where it computes. */
  static of(rows: readonly (readonly number[])[], { imageTokenId, languageModel }: Llava): PaddedBatch {
    return new PaddedBatch(rows, imageTokenId === 0 ? 1 : 0, languageModel.embedTokens.weight.device);
  }

  /** Position of each token in its own row [B, end − start]; padding has position 0. */
  positions(start: number, end: number): Tensor {
    const columns = arange(start, end, { device: this.#device });
    return this.#padding === undefined ? columns : columns.sub(this.#padding).clamp(0);
  }

  /** What the tokens of columns `start` to `end` see: all before them in their row, and themselves. */
  attention(start: number, end: number): AttentionMask {
    if (this.#padding === undefined) return causalMask(end - start, start, this.#device);
    const keys = arange(0, end, { device: this.#device }).unsqueeze(0); // [1, Tk]
    const isToken = this.#padding.le(keys).unsqueeze(1).unsqueeze(1); // [B, 1, 1, Tk]
    if (end - start === 1) return { mask: isToken };
    const queries = arange(start, end, { device: this.#device }).unsqueeze(1); // [Tq, 1]
    // Padding sees itself: a query without any key would be 0/0.
    return { mask: aten.bitwiseOr(aten.logicalAnd(isToken, keys.le(queries)), keys.eq(queries)) };
  }

  [Symbol.dispose](): void {
    this.inputIds.dispose();
    this.#padding?.dispose();
  }
}
