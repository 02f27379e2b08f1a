import { arange, aten, keep, longTensor, noGrad, scope, type Tensor } from "../../torch/index.ts";
import { attend } from "../attention.ts";
import type { RopeFactors } from "../rotary.ts";
import type { KeyValueCache } from "./cache.ts";
import type { AttentionStep } from "./step.ts";

/**
 * A pass that gives each row of a cache one new position and is the same work every time: where a row ends is a number on the
 * device, and all of the cache is read, under a mask. It can be recorded once and repeated (see `recordWork`), which pays where
 * launching kernels takes longer than running them.
 */
export class FixedStep implements AttentionStep, Disposable {
  readonly positions: Tensor; // int64 [B, 1]
  readonly ropeFactors: RopeFactors;
  readonly #cache: KeyValueCache;
  readonly #starts: Tensor; // int64 [B, H, 1]: where a row's head begins in a layer's buffer
  readonly #columns: Tensor; // int64 [capacity]

  /** Goes on where the rows of the cache end, all under one rope factor. */
  constructor(cache: KeyValueCache) {
    this.#cache = cache;
    scope(() => cache.makeFinite());
    const rows = cache.lengths.length;
    [this.ropeFactors] = cache.ropeFactors;
    const [keys] = cache.buffers(0);
    const heads = keys.size(1);
    const { capacity, device } = cache;
    const kept = scope(() => [
      keep(longTensor(cache.lengths, [rows, 1]).toDevice(device)),
      keep(
        arange(0, rows * heads, { device })
          .mul(capacity)
          .view([rows, heads, 1]),
      ),
      keep(arange(0, capacity, { device })),
    ]);
    [this.positions, this.#starts, this.#columns] = kept as [Tensor, Tensor, Tensor];
  }

  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    const [keys, values] = this.#cache.buffers(layer);
    const places = this.#starts.add(this.positions.unsqueeze(-1)).flatten();
    for (const [buffer, added] of [
      [keys, key],
      [values, value],
    ] as const)
      aten.indexCopy_(buffer.flatten(0, 2), 0, places, added.flatten(0, 2));
    const mask = this.#columns.le(this.positions.view([-1, 1, 1, 1]));
    return attend(query, keys, values, { mask });
  }

  advance(): void {
    this.positions.copy_(this.positions.add(1));
  }

  /** Tells the cache of so many passes, which must not have gone past its end. */
  settle(passes: number): void {
    this.#cache.advance(passes);
  }

  /** Goes back to where the rows of the cache end. */
  rewind(): void {
    const { lengths, device } = this.#cache;
    noGrad(() =>
      scope(() => void this.positions.copy_(longTensor(lengths, [lengths.length, 1]).toDevice(device))),
    );
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.positions, this.#starts, this.#columns]) tensor.dispose();
  }
}
