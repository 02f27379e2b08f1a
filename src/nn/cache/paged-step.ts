import { aten, longTensor, type Tensor } from "../../torch/index.ts";
import type { RopeFactors, RotaryAngles } from "../rotary.ts";
import { PAGE, type PageStore } from "./pages.ts";
import type { AttentionStep } from "./step.ts";

/** Positions of one sequence that a pass computes: those from `start` on. */
export interface PagedPiece {
  /** Of the sequence, in order; of all positions up to the last new one. */
  readonly pages: readonly number[];
  readonly start: number;
  readonly tokens: number;
  /** Linear factor of its positions, in the place of the model's own. */
  readonly ropeFactor?: number | undefined;
}

/**
 * One forward pass of pieces in a row, each of which sees its own sequence alone. On a CPU what a position sees has the same
 * bits whatever is computed beside it, and however its sequence was cut into passes (native/src/pages.cc).
 */
export class PagedStep implements AttentionStep {
  /** [1, T] */
  readonly shape: readonly [rows: number, tokens: number];
  readonly positions: Tensor;
  readonly ropeFactors: RopeFactors;
  readonly #slabs: readonly Tensor[];
  /** int64 [pieces, pages] */
  readonly #tables: Tensor;
  /** int64 [T, 2]: the piece of each row and its position. */
  readonly #places: Tensor;

  constructor(store: PageStore, pieces: readonly PagedPiece[]) {
    const places = pieces.flatMap(({ start, tokens }, piece) =>
      Array.from({ length: tokens }, (_, token): [number, number] => [piece, start + token]),
    );
    const positions = places.map(([, position]) => position);
    const held = pieces.map(({ pages, start, tokens }) => pages.slice(0, Math.ceil((start + tokens) / PAGE)));
    const most = Math.max(...held.map((pages) => pages.length));
    this.shape = [1, places.length];
    this.positions = longTensor(positions, [1, positions.length]).toDevice(store.device);
    const factors = pieces.map(({ ropeFactor }) => ropeFactor);
    this.ropeFactors = factors.every((factor) => factor === factors[0])
      ? factors[0]
      : pieces.flatMap(({ tokens }, i) => Array<number | undefined>(tokens).fill(factors[i]));
    this.#slabs = store.slabs;
    this.#tables = longTensor(
      held.flatMap((pages) => [...pages, ...Array<number>(most - pages.length).fill(0)]),
      [pieces.length, most],
    );
    this.#places = longTensor(places.flat(), [places.length, 2]);
  }

  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    const [queries, keys, values] = [query, key, value].map((x) => x.transpose(1, 2));
    return this.#attend(layer, [queries!, keys!, values!], undefined);
  }

  attendTurned(layer: number, query: Tensor, key: Tensor, value: Tensor, angles: RotaryAngles): Tensor {
    return this.#attend(layer, [query, key, value], angles);
  }

  /** Of each [1, T, H, d] → [1, T, H·d]. */
  #attend(
    layer: number,
    [query, key, value]: [query: Tensor, key: Tensor, value: Tensor],
    angles: RotaryAngles | undefined,
  ): Tensor {
    const [slabs, tables, places] = [this.#slabs, this.#tables, this.#places];
    return aten.attendPages(query, key, value, angles?.cos, angles?.sin, slabs, tables, places, layer);
  }

  /** Pieces know by themselves how far their sequences are. */
  advance(): void {}
}
