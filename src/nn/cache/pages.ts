import { LlavaError } from "../../errors.ts";
import { aten, byteWidth, type DType, empty, owned, type Tensor } from "../../torch/index.ts";

/** Positions of a page; native/src/pages.cc computes in pages of as many. */
export const PAGE = 16;

export interface PageStoreOptions {
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly dtype: DType;
  readonly device: string;
  /** Bytes of memory that is taken at once; 16 MiB. */
  readonly slabBytes?: number;
}

/**
 * Memory for keys and values in pages, each of 16 positions in all layers, lent by number. Pages lie in slabs, which are
 * allocated when they are needed and given back when none of their pages is lent.
 */
export class PageStore implements Disposable {
  /** Bytes of a page. */
  readonly pageBytes: number;
  readonly device: string;
  readonly #perSlab: number;
  readonly #shape: readonly number[];
  readonly #dtype: DType;
  /** [pages, layers, 2, heads, 16 · d rounded up to a multiple of 8]; undefined where one was given back. */
  readonly #slabs: (Tensor | undefined)[] = [];
  /** Of each slab, its pages that are not lent. */
  readonly #free: number[][] = [];

  constructor({ layers, heads, headDim, dtype, device, slabBytes = 16 << 20 }: PageStoreOptions) {
    const width = Math.ceil(headDim / 8) * 8;
    this.#shape = [layers, 2, heads, PAGE * width];
    this.#dtype = dtype;
    this.device = device;
    this.pageBytes = layers * 2 * heads * PAGE * width * byteWidth[dtype];
    this.#perSlab = Math.max(1, Math.floor(slabBytes / this.pageBytes));
  }

  /** Bytes that a slab takes. */
  get slabBytes(): number {
    return this.#perSlab * this.pageBytes;
  }

  /** Bytes of all slabs. */
  get bytes(): number {
    return this.#slabs.filter((slab) => slab !== undefined).length * this.slabBytes;
  }

  /** Pages that need no more memory. */
  get free(): number {
    return this.#free.reduce((sum, pages) => sum + pages.length, 0);
  }

  /** A page, of a new slab if there is none free. */
  take(): number {
    let slab = this.#free.findIndex((pages) => pages.length > 0);
    if (slab < 0) slab = this.#allocate();
    return slab * this.#perSlab + this.#free[slab]!.pop()!;
  }

  give(page: number): void {
    const slab = Math.floor(page / this.#perSlab);
    const free = this.#free[slab]!;
    free.push(page % this.#perSlab);
    if (free.length < this.#perSlab) return;
    this.#slabs[slab]!.dispose();
    this.#slabs[slab] = undefined;
    this.#free[slab] = [];
  }

  /** All slabs in the order of their pages; where one was given back, another stands, whose pages nobody asks for. */
  get slabs(): readonly Tensor[] {
    const some = this.#slabs.find((slab) => slab !== undefined);
    if (some === undefined) throw new LlavaError("usage", "no page is lent");
    return this.#slabs.map((slab) => slab ?? some);
  }

  #allocate(): number {
    const [shape, dtype, device] = [[this.#perSlab, ...this.#shape], this.#dtype, this.device];
    const tensor = owned(() =>
      device === "cpu" ? aten.hugeEmpty(shape, dtype) : empty(shape, { dtype, device }),
    );
    const gap = this.#slabs.indexOf(undefined);
    const slab = gap < 0 ? this.#slabs.length : gap;
    this.#slabs[slab] = tensor;
    this.#free[slab] = Array.from({ length: this.#perSlab }, (_, i) => this.#perSlab - 1 - i);
    return slab;
  }

  [Symbol.dispose](): void {
    for (const slab of this.#slabs.splice(0)) slab?.dispose();
    this.#free.length = 0;
  }
}
