import { LlavaError } from "../../errors.ts";
import { aten, type DType, empty, keep, type Tensor } from "../../torch/index.ts";

export interface KeyValueCacheOptions {
  readonly layers: number;
  readonly batch: number;
  readonly heads: number;
  readonly headDim: number;
  /** Most positions it can hold. */
  readonly capacity: number;
  readonly dtype: DType;
  readonly device: string;
}

/** Keys and values of all earlier positions, allocated once; a position is written once and never moves. */
export class KeyValueCache implements Disposable {
  readonly capacity: number;
  readonly #keys: Tensor[]; // per layer [B, H, capacity, d]
  readonly #values: Tensor[];
  #length = 0;

  constructor(options: KeyValueCacheOptions) {
    const { layers, batch, heads, capacity, headDim, dtype, device } = options;
    const allocate = () =>
      Array.from({ length: layers }, () => keep(empty([batch, heads, capacity, headDim], { dtype, device })));
    this.capacity = capacity;
    this.#keys = allocate();
    this.#values = allocate();
  }

  /** Positions held, the same for all rows of the batch. */
  get length(): number {
    return this.#length;
  }

  /**
   * Writes the keys and values [B, H, T, d] of the next T positions of one layer and returns those of all positions so
   * far. `length` grows when `advance` is called, after the last layer.
   */
  update(layer: number, keys: Tensor, values: Tensor): [keys: Tensor, values: Tensor] {
    const end = this.#length + keys.size(2);
    if (end > this.capacity)
      throw new LlavaError("prompt", `${end} positions do not fit a cache of ${this.capacity}`, {
        hint: "Shorten the prompt, or ask for fewer new tokens.",
      });
    const write = (buffer: Tensor, rows: Tensor): Tensor => {
      buffer.slice(2, this.#length, end).copy_(rows);
      return buffer.slice(2, 0, end);
    };
    return [write(this.#keys[layer]!, keys), write(this.#values[layer]!, values)];
  }

  advance(positions: number): void {
    this.#length += positions;
  }

  /** Forgets all positions from `length` on. */
  truncate(length: number): void {
    if (!(length >= 0 && length <= this.#length))
      throw new LlavaError("usage", `a cache of ${this.#length} positions cannot be cut to ${length}`);
    this.#length = length;
  }

  /** Holds what `rows` (int64, as many as this batch has) of a cache hold, this one's own rows too. */
  copyRows(from: KeyValueCache, rows: Tensor): void {
    if (from.length > this.capacity)
      throw new LlavaError("prompt", `${from.length} positions do not fit a cache of ${this.capacity}`);
    const copy = (to: readonly Tensor[], source: readonly Tensor[]) =>
      to.forEach((buffer, layer) => {
        const held = source[layer]!.slice(2, 0, from.length);
        buffer.slice(2, 0, from.length).copy_(aten.indexSelect(held, 0, rows));
      });
    copy(this.#keys, from.#keys);
    copy(this.#values, from.#values);
    this.#length = from.length;
  }

  [Symbol.dispose](): void {
    for (const tensor of [...this.#keys, ...this.#values]) tensor.dispose();
  }
}
