import { arange, cat, longTensor, type Tensor } from "../../torch/index.ts";
import { type AttentionMask, attend, causalMask } from "../attention.ts";
import type { RopeFactors, RotaryAngles } from "../rotary.ts";
import type { CacheSpan, KeyValueCache } from "./cache.ts";

/** What a forward pass needs of sequences that go on: where their new positions are, and what those see. */
export interface AttentionStep {
  /** int64 [T] or [B, T] */
  readonly positions: Tensor;
  readonly ropeFactors: RopeFactors;
  /** Adds key and value [B, Hkv, T, d] of one layer and attends to all of them: query [B, H, T, d] → [B, T, H·d]. */
  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor;
  /** As `attend`, of query and key [B, T, H, d] before they are turned by their positions' angles, where both is done at once. */
  attendTurned?(layer: number, query: Tensor, key: Tensor, value: Tensor, angles: RotaryAngles): Tensor;
  /** After the last layer. */
  advance(): void;
}

/** A row of a cache, and how many positions it gets in a forward pass. */
export interface CachePiece {
  readonly cache: KeyValueCache;
  readonly row: number;
  readonly tokens: number;
}

/** Pieces that attend together. */
interface Group {
  readonly cache: KeyValueCache;
  readonly span: CacheSpan;
  /** Positions of the pieces before it. */
  readonly offset: number;
  readonly attention: AttentionMask;
}

/** Rows whose lengths differ by less than this, or by less than a quarter, attend together: a call costs more than the rest. */
const FEW = 64;

/**
 * What a cache is in one forward pass: pieces side by side, each of which goes on where its row ends and sees its row alone.
 * Rows next to each other and of like lengths are attended to together, others apart, so that none pays for another's length.
 */
export class CacheStep implements AttentionStep {
  /** Shape [B, T] of the pass: a row of it is a piece where all are equally long; otherwise they lie in one row. */
  readonly shape: readonly [rows: number, tokens: number];
  /** int64 [T], or [B, T] where rows stand at different places. */
  readonly positions: Tensor;
  /** Of the rows of the caches, for each position where they differ. */
  readonly ropeFactors: RopeFactors;
  readonly #groups: readonly Group[];

  /** @throws LlavaError "prompt" if a row's positions do not fit its cache */
  constructor(pieces: readonly CachePiece[]) {
    const { cache, tokens } = pieces[0]!;
    this.shape = pieces.every((piece) => piece.tokens === tokens)
      ? [pieces.length, tokens]
      : [1, pieces.reduce((sum, piece) => sum + piece.tokens, 0)];
    let offset = 0;
    this.#groups = grouped(pieces).map((group) => {
      const made = groupOf(group, offset);
      offset += group.length * made.span.tokens;
      return made;
    });
    const factors = pieces.map((piece) => piece.cache.ropeFactors[piece.row]);
    this.ropeFactors = factors.every((factor) => factor === factors[0])
      ? factors[0]
      : pieces.flatMap((piece, i) => Array<number | undefined>(piece.tokens).fill(factors[i]));
    const starts = pieces.map((piece) => piece.cache.lengths[piece.row]!);
    const [start] = starts as [number];
    const areAlike = !Array.isArray(this.ropeFactors);
    this.positions =
      areAlike && starts.every((other) => other === start && this.shape[1] === tokens)
        ? arange(start, start + tokens, { device: cache.device })
        : longTensor(pieces.flatMap(positionsOf), this.shape).toDevice(cache.device);
  }

  /** All rows of a cache go on by as many positions. */
  static of(cache: KeyValueCache, tokens: number): CacheStep {
    return new CacheStep(Array.from(cache.lengths.keys(), (row) => ({ cache, row, tokens })));
  }

  /** Adds key and value [B, Hkv, T, d] of one layer and attends to all of them: query [B, H, T, d] → [B, T, H·d]. */
  attend(layer: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
    const [batch, heads, tokens, headDim] = query.shape as [number, number, number, number];
    const [only] = this.#groups as [Group];
    if (this.#groups.length === 1 && only.span.rows === batch)
      return attend(query, ...only.cache.update(layer, key, value, only.span), only.attention);
    const [queries, keys, values] = [query, key, value].map((x) => x.transpose(1, 2).flatten(0, 1)); // [B·T, H, d]
    const attended = this.#groups.map(({ cache, span, offset, attention }) => {
      const shape = [span.rows, span.tokens, -1, headDim];
      const part = (x: Tensor) =>
        x
          .slice(0, offset, offset + span.rows * span.tokens)
          .view(shape)
          .transpose(1, 2);
      const held = cache.update(layer, part(keys!), part(values!), span);
      return attend(part(queries!), ...held, attention).flatten(0, 1);
    });
    return cat(attended).view([batch, tokens, heads * headDim]);
  }

  /** After the last layer: the rows hold the new positions. */
  advance(): void {
    for (const { cache, span } of this.#groups) cache.advance(span.tokens, span.first, span.rows);
  }
}

const positionsOf = ({ cache, row, tokens }: CachePiece): number[] =>
  Array.from({ length: tokens }, (_, token) => cache.lengths[row]! + token);

/** Runs of neighbours of like lengths. */
function grouped(pieces: readonly CachePiece[]): CachePiece[][] {
  const groups: CachePiece[][] = [];
  let [shortest, longest] = [0, 0];
  for (const piece of pieces) {
    const length = piece.cache.lengths[piece.row]!;
    const group = groups.at(-1);
    const last = group?.at(-1);
    const [low, high] = [Math.min(shortest, length), Math.max(longest, length)];
    const joins =
      last?.cache === piece.cache &&
      last.row + 1 === piece.row &&
      last.tokens === piece.tokens &&
      high - low <= Math.max(FEW, high / 4);
    if (joins) group!.push(piece);
    else groups.push([piece]);
    [shortest, longest] = joins ? [low, high] : [length, length];
  }
  return groups;
}

function groupOf(pieces: readonly CachePiece[], offset: number): Group {
  const { cache, row, tokens } = pieces[0]!;
  const span = cache.span(row, pieces.length, tokens);
  const { device } = cache;
  if (span.places === undefined)
    return { cache, span, offset, attention: causalMask(tokens, span.end - tokens, device) };
  const positions = longTensor(pieces.flatMap(positionsOf), [pieces.length, 1, tokens, 1]).toDevice(device);
  return { cache, span, offset, attention: { mask: arange(0, span.end, { device }).le(positions) } };
}
