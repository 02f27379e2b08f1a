import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  cat,
  type DType,
  Generator,
  inference,
  liveTensors,
  randn,
  scaledDotProductAttention,
  scope,
  setNumThreads,
  type Tensor,
} from "../../torch/index.ts";
import { type RotaryAngles, RotaryEmbedding, rotate } from "../rotary.ts";
import { type PagedPiece, PagedStep } from "./paged-step.ts";
import { PAGE, PageStore } from "./pages.ts";

const size = { layers: 2, heads: 2, device: "cpu" };
const length = 75;
const pages = Math.ceil(length / PAGE);

interface Sequence {
  /** [1, H, T, d] */
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

const sequenceOf = (generator: Generator, headDim: number, dtype: DType, group: number): Sequence => {
  const make = (heads: number) => randn([1, heads, length, headDim], generator).to(dtype);
  return { query: make(size.heads * group), key: make(size.heads), value: make(size.heads) };
};

/** What layer 1 gives for so many positions of each sequence from `start` on, [1, ΣT, H·d]. */
function attended(store: PageStore, parts: readonly (Sequence & { readonly piece: PagedPiece })[]): Tensor {
  const step = new PagedStep(
    store,
    parts.map(({ piece }) => piece),
  );
  const [query, key, value] = (["query", "key", "value"] as const).map((name) =>
    cat(
      parts.map((part) => part[name].slice(2, part.piece.start, part.piece.start + part.piece.tokens)),
      2,
    ),
  );
  return step.attend(1, query!, key!, value!);
}

for (const dtype of ["float32", "bfloat16", "float16"] as const)
  describe(`attention over pages in ${dtype}`, () => {
    test("is what libtorch's attention is, for heads of any width", () => {
      using generator = new Generator(3);
      inference(() =>
        scope(() => {
          for (const [headDim, group] of [
            [4, 2],
            [8, 1],
            [20, 3],
            [64, 4],
            [128, 1],
          ] as const) {
            using store = new PageStore({ ...size, headDim, dtype, slabBytes: 1 << 12 });
            const sequence = sequenceOf(generator, headDim, dtype, group);
            const lent = Array.from({ length: pages }, () => store.take()).toReversed();
            const found = attended(store, [
              { ...sequence, piece: { pages: lent, start: 0, tokens: length } },
            ]);
            const { query, key, value } = sequence;
            const [q, k, v] = [query, key, value].map((x) => x.to("float64"));
            const expected = scaledDotProductAttention(q!, k!, v!, { causal: true, groupedQuery: group > 1 });
            const [near, right] = [found, expected.transpose(1, 2).flatten(2, 3)].map((x) =>
              x.to("float32").toFloat32Array(),
            );
            const bound = { float32: 2e-6, bfloat16: 2e-2, float16: 2e-3 }[dtype];
            for (const [i, value] of near!.entries())
              assert.ok(Math.abs(value - right![i]!) <= bound * Math.max(1, Math.abs(right![i]!)));
          }
        }),
      );
    });

    test("turns queries and keys to the bits of those that are turned before", () => {
      using generator = new Generator(6);
      inference(() =>
        scope(() => {
          for (const [headDim, group] of [
            [8, 1],
            [20, 3],
            [64, 2],
          ] as const) {
            const { query, key, value } = sequenceOf(generator, headDim, dtype, group);
            const rotary = new RotaryEmbedding(headDim, 1e4);
            const give = (turn: (step: PagedStep, angles: RotaryAngles, start: number) => Tensor) => {
              using store = new PageStore({ ...size, headDim, dtype });
              const lent = Array.from({ length: pages }, () => store.take());
              return [0, length - 1].map((start) => {
                const tokens = start === 0 ? length - 1 : 1;
                const step = new PagedStep(store, [{ pages: lent, start, tokens }]);
                const angles = rotary.angles(step.positions, dtype);
                return turn(step, angles, start).to("float32").toFloat32Array();
              });
            };
            const part = (x: Tensor, start: number) => x.slice(2, start, start === 0 ? length - 1 : length);
            const before = give((step, angles, start) =>
              step.attend(
                0,
                rotate(part(query, start), angles),
                rotate(part(key, start), angles),
                part(value, start),
              ),
            );
            const [q, k, v] = [query, key, value];
            const within = give((step, angles, start) => {
              const [queries, keys, values] = [q, k, v].map((x) => part(x, start).transpose(1, 2));
              return step.attendTurned(0, queries!, keys!, values!, angles);
            });
            assert.deepEqual(within, before);
          }
        }),
      );
    });

    test("has the same bits however a sequence is cut, and whatever is beside it", () => {
      using generator = new Generator(4);
      const before = liveTensors();
      inference(() =>
        scope(() => {
          const headDim = 24;
          const all = [0, 1, 2].map(() => sequenceOf(generator, headDim, dtype, 3));
          using whole = new PageStore({ ...size, headDim, dtype });
          const table = () => Array.from({ length: pages }, () => whole.take());
          const expected = all.map((sequence) =>
            attended(whole, [{ ...sequence, piece: { pages: table(), start: 0, tokens: length } }])
              .to("float32")
              .toFloat32Array(),
          );
          const cuts = fc.array(fc.record({ who: fc.nat(2), tokens: fc.integer({ min: 1, max: 40 }) }), {
            minLength: 1,
            maxLength: 12,
          });
          fc.assert(
            fc.property(
              fc.array(cuts, { minLength: 1, maxLength: 6 }),
              fc.constantFrom(1, 2, 5),
              (passes, threads) => {
                setNumThreads(threads);
                using store = new PageStore({ ...size, headDim, dtype, slabBytes: 1 << 15 });
                const tables = all.map(() => Array.from({ length: pages }, () => store.take()));
                const at = [0, 0, 0];
                for (const pass of passes) {
                  const parts = [...new Map(pass.map((cut) => [cut.who, cut])).values()].flatMap(
                    ({ who, tokens }) => {
                      const some = Math.min(tokens, length - at[who]!);
                      const piece = { pages: tables[who]!, start: at[who]!, tokens: some };
                      return some > 0 ? [{ ...all[who]!, who, piece }] : [];
                    },
                  );
                  if (parts.length === 0) continue;
                  const rows = attended(store, parts).to("float32").toFloat32Array();
                  const width = size.heads * 3 * headDim;
                  let row = 0;
                  for (const { who, piece } of parts) {
                    const right = expected[who]!.subarray(
                      piece.start * width,
                      (piece.start + piece.tokens) * width,
                    );
                    assert.deepEqual(rows.subarray(row * width, (row + piece.tokens) * width), right);
                    row += piece.tokens;
                    at[who]! += piece.tokens;
                  }
                }
              },
            ),
            { seed: 5, numRuns: 30 },
          );
        }),
      );
      assert.equal(liveTensors(), before);
    });
  });

test("pages are lent from as few slabs as hold them, whose memory goes with their last page", () => {
  using store = new PageStore({
    ...size,
    headDim: 8,
    dtype: "float32",
    slabBytes: 4 * 2 * 2 * 2 * 16 * 8 * 4,
  });
  assert.equal(store.slabBytes, 4 * store.pageBytes);
  const lent = Array.from({ length: 6 }, () => store.take());
  assert.deepEqual([new Set(lent).size, store.bytes, store.free], [6, 2 * store.slabBytes, 2]);
  for (const page of lent.slice(0, 4)) store.give(page);
  assert.deepEqual([store.bytes, store.free], [store.slabBytes, 2]);
  for (const page of lent.slice(4)) store.give(page);
  assert.equal(store.bytes, 0);
  assert.throws(() => store.slabs, { code: "usage" });
});
