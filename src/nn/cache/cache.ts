import { LlavaError } from "../../errors.ts";
import { aten, type DType, empty, keep, longTensor, type Tensor } from "../../torch/index.ts";

export interface KeyValueCacheOptions {
  readonly layers: number;
  readonly batch: number;
  readonly heads: number;
  readonly headDim: number;
  /** Most positions that a row can hold. */
  readonly capacity: number;
  readonly dtype: DType;
  readonly device: string;
}

/** Rows side by side that get equally many new positions, each after its own last one. */
export interface CacheSpan {
  readonly first: number;
  readonly rows: number;
  readonly tokens: number;
  /** Positions of the longest row with the new ones. */
  readonly end: number;
  /** int64 [rows · heads · tokens] places in a layer's buffer, where the rows differ in length. */
  readonly places: Tensor | undefined;
}

/** Positions that are made finite at once in a row that is shorter than its neighbours. */
const STRETCH = 64;

/**
 * Keys and values of all earlier positions of some rows, allocated once; a position is written once and never moves. Each
 * row has a length of its own.
 */
export class KeyValueCache implements Disposable {
  readonly capacity: number;
  readonly device: string;
  readonly #heads: number;
  readonly #keys: readonly Tensor[]; // per layer [B, H, capacity, d]
  readonly #values: readonly Tensor[];
  readonly #lengths: number[];
  /** Of each row, the linear factor of the positions that its keys are turned by; undefined is the model's own. */
  readonly #ropeFactors: (number | undefined)[];
  /** Of each row, the positions that hold finite numbers; behind them lies what the memory held before. */
  readonly #finite: number[];

  constructor(options: KeyValueCacheOptions) {
    const { layers, batch, heads, capacity, headDim, dtype, device } = options;
    const allocate = () =>
      Array.from({ length: layers }, () => keep(empty([batch, heads, capacity, headDim], { dtype, device })));
    this.capacity = capacity;
    this.device = device;
    this.#heads = heads;
    this.#keys = allocate();
    this.#values = allocate();
    this.#lengths = Array<number>(batch).fill(0);
    this.#ropeFactors = Array<undefined>(batch).fill(undefined);
    this.#finite = Array<number>(batch).fill(0);
  }

  /** Positions that each row holds. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  get ropeFactors(): readonly (number | undefined)[] {
    return this.#ropeFactors;
  }

  /**
   * Binds a row to a linear factor of its positions.
   * @throws LlavaError "usage" for a row that holds keys under another
   */
  setRopeFactor(row: number, factor: number | undefined): void {
    if (this.#lengths[row]! > 0 && this.#ropeFactors[row] !== factor)
      throw new LlavaError(
        "usage",
        `a cache of ${this.#lengths[row]} positions under the rope factor ${this.#ropeFactors[row] ?? "of the model"} cannot go on under ${factor ?? "that of the model"}`,
        { hint: "Read the prompt anew: keys are turned by the factor that they were written under." },
      );
    this.#ropeFactors[row] = factor;
  }

  /** Positions that the longest row holds. */
  get length(): number {
    return Math.max(...this.#lengths);
  }

  /**
   * Where the next `tokens` positions of `rows` rows from `first` on go.
   * @throws LlavaError "prompt" if they do not fit
   */
  span(first: number, rows: number, tokens: number): CacheSpan {
    const lengths = this.#lengths.slice(first, first + rows);
    const end = Math.max(...lengths) + tokens;
    if (end > this.capacity)
      throw new LlavaError("prompt", `${end} positions do not fit a cache of ${this.capacity}`, {
        hint: "Shorten the prompt, or ask for fewer new tokens.",
      });
    if (lengths.every((length) => length === lengths[0]))
      return { first, rows, tokens, end, places: undefined };
    this.#makeFinite(first, rows, tokens, end);
    const places = lengths.flatMap((length, row) =>
      Array.from({ length: this.#heads }, (_, head) => {
        const start = ((first + row) * this.#heads + head) * this.capacity + length;
        return Array.from({ length: tokens }, (_, token) => start + token);
      }).flat(),
    );
    return { first, rows, tokens, end, places: longTensor(places).toDevice(this.device) };
  }

  /**
   * Writes the keys and values [rows, H, T, d] of a span's new positions in one layer and returns those of its rows from the
   * first position to the span's end. `lengths` grow when `advance` is called, after the last layer.
   */
  update(
    layer: number,
    keys: Tensor,
    values: Tensor,
    span: CacheSpan = this.span(0, this.#lengths.length, keys.size(2)),
  ): [keys: Tensor, values: Tensor] {
    const { first, rows, tokens, end, places } = span;
    const write = (buffer: Tensor, added: Tensor): Tensor => {
      const held = rows === this.#lengths.length ? buffer : buffer.slice(0, first, first + rows);
      if (places === undefined) held.slice(2, end - tokens, end).copy_(added);
      else aten.indexCopy_(buffer.flatten(0, 2), 0, places, added.flatten(0, 2));
      return held.slice(2, 0, end);
    };
    return [write(this.#keys[layer]!, keys), write(this.#values[layer]!, values)];
  }

  /** Keys and values of a layer, [B, H, capacity, d] each. */
  buffers(layer: number): readonly [keys: Tensor, values: Tensor] {
    return [this.#keys[layer]!, this.#values[layer]!];
  }

  /** Makes what lies behind the rows' ends finite, so that all of the cache can be read under a mask. */
  makeFinite(): void {
    this.#makeFinite(0, this.#lengths.length, 0, this.capacity);
  }

  /** `tokens` more positions are held by `rows` rows from `first` on. */
  advance(tokens: number, first = 0, rows = this.#lengths.length): void {
    for (let row = first; row < first + rows; row++) {
      this.#lengths[row]! += tokens;
      this.#finite[row] = Math.max(this.#finite[row]!, this.#lengths[row]!);
    }
  }

  /** Forgets all positions from `length` on. */
  truncate(length: number): void {
    if (!(length >= 0 && length <= this.length))
      throw new LlavaError("usage", `a cache of ${this.length} positions cannot be cut to ${length}`);
    for (const [row, held] of this.#lengths.entries()) this.#lengths[row] = Math.min(held, length);
  }

  /** Forgets a row, and what it wrote: were it not a number, the next one there would see it. */
  clear(row: number): void {
    this.#lengths[row] = 0;
    this.#ropeFactors[row] = undefined;
    this.#finite[row] = 0;
  }

  /** Rows from `first` on hold what the rows `sources` of a cache hold, this one's own too. */
  copyRows(from: KeyValueCache, sources: readonly number[], first = 0): void {
    const lengths = sources.map((row) => from.lengths[row]!);
    const longest = Math.max(...lengths);
    if (longest > this.capacity)
      throw new LlavaError("prompt", `${longest} positions do not fit a cache of ${this.capacity}`);
    const index = longTensor(sources).toDevice(this.device);
    const copy = (to: readonly Tensor[], source: readonly Tensor[]) =>
      to.forEach((buffer, layer) => {
        const held = source[layer]!.slice(2, 0, longest);
        const rows = buffer.slice(0, first, first + sources.length);
        rows.slice(2, 0, longest).copy_(aten.indexSelect(held, 0, index));
      });
    copy(this.#keys, from.#keys);
    copy(this.#values, from.#values);
    const factors = sources.map((row) => from.#ropeFactors[row]);
    for (const [at, length] of lengths.entries()) {
      this.#lengths[first + at] = length;
      this.#ropeFactors[first + at] = factors[at];
      this.#finite[first + at] = length;
    }
  }

  /** Shorter rows are read to their neighbours' end, under a mask, which hides every number but one that is none. */
  #makeFinite(first: number, rows: number, tokens: number, end: number): void {
    for (let row = first; row < first + rows; row++) {
      const start = Math.max(this.#finite[row]!, this.#lengths[row]! + tokens);
      if (start >= end) continue;
      const stop = Math.min(this.capacity, end + STRETCH);
      for (const buffer of [...this.#keys, ...this.#values])
        buffer.select(0, row).slice(1, start, stop).zero_();
      this.#finite[row] = stop;
    }
  }

  [Symbol.dispose](): void {
    for (const tensor of [...this.#keys, ...this.#values]) tensor.dispose();
  }
}
