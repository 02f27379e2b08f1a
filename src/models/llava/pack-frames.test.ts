import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type FrameNewlines,
  type FramePooling,
  type FramesLayout,
  frameNewlines,
  pooledGrid,
  tokenCountsOf,
  tokensOf,
} from "../../processing/image/index.ts";
import { arange, cat, Generator, inference, randn, scope, type Tensor, tensor } from "../../torch/index.ts";
import { FrameConvolution, packFrames, poolFrames } from "./pack-frames.ts";

const gridOf = (side: number) => ({ rows: side, columns: side, extra: 0 });
const layout = (
  frames: number,
  pooling: Partial<FramePooling> = {},
  newlines: FrameNewlines = "none",
): FramesLayout => ({
  tiles: "frames",
  size: { width: 64, height: 48 },
  frames,
  pooling: { mode: "average", stride: 2, place: "before", ...pooling },
  newlines,
});

/** Frames' features [F, side², 1], each the number of its place. */
const numbered = (frames: number, side: number): Tensor =>
  arange(0, frames * side * side)
    .to("float32")
    .reshape([frames, side * side, 1]);

const pooled = (features: Tensor, side: number, pooling: Partial<FramePooling>): number[] =>
  poolFrames(features, layout(features.size(0), pooling), "before", { grid: gridOf(side) }).toNumbers();

describe("pooling is that of plain sums", () => {
  for (const side of [24, 27, 5, 9])
    for (const stride of [2, 3, 4])
      test(`${side} by ${stride}`, () =>
        inference(() =>
          scope(() => {
            const values = randn([2, side * side, 3], new Generator(7));
            const at = values.toNumbers();
            const value = (frame: number, row: number, column: number, channel: number) =>
              at[((frame * side + row) * side + column) * 3 + channel]!;
            for (const mode of ["average", "max", "bilinear"] as const) {
              const { rows, columns } = pooledGrid(gridOf(side), { mode, stride, place: "before" });
              assert.equal(rows, mode === "bilinear" ? Math.ceil(side / stride) : Math.floor(side / stride));
              const found = pooled(values, side, { mode, stride });
              assert.equal(found.length, 2 * rows * columns * 3);
              const expected = [0, 1].flatMap((frame) =>
                Array.from({ length: rows * columns }, (_, place) => {
                  const [row, column] = [Math.floor(place / columns), place % columns];
                  return [0, 1, 2].map((channel) => {
                    if (mode === "bilinear") {
                      const ys = weightsOf(row, side, rows);
                      const xs = weightsOf(column, side, columns);
                      return ys.reduce(
                        (sum, [y, weight]) =>
                          sum +
                          xs.reduce(
                            (inner, [x, other]) => inner + weight * other * value(frame, y, x, channel),
                            0,
                          ),
                        0,
                      );
                    }
                    const window = Array.from({ length: stride * stride }, (_, i) =>
                      value(
                        frame,
                        row * stride + Math.floor(i / stride),
                        column * stride + (i % stride),
                        channel,
                      ),
                    );
                    return mode === "max"
                      ? Math.max(...window)
                      : window.reduce((sum, each) => sum + each, 0) / window.length;
                  });
                }).flat(),
              );
              for (const [i, each] of expected.entries())
                assert.ok(Math.abs(found[i]! - each) <= 1e-5, `${mode} ${i}: ${found[i]}, expected ${each}`);
            }
          }),
        ));
});

/** Of a bilinear resize without antialiasing, corners not aligned: which rows an output takes, and how much of each. */
function weightsOf(output: number, side: number, outputs: number): [row: number, weight: number][] {
  const center = Math.max(0, (output + 0.5) * (side / outputs) - 0.5);
  const first = Math.min(Math.floor(center), side - 1);
  const second = Math.min(first + 1, side - 1);
  return [
    [first, 1 - (center - first)],
    [second, center - first],
  ];
}

test("by two, a bilinear resize of an even side is the average", () =>
  inference(() =>
    scope(() => {
      const values = randn([1, 24 * 24, 2], new Generator(3));
      const [average, bilinear] = (["average", "bilinear"] as const).map((mode) =>
        pooled(values, 24, { mode, stride: 2 }),
      );
      for (const [i, each] of average!.entries()) assert.ok(Math.abs(each - bilinear![i]!) < 1e-6);
    }),
  ));

test("a convolution pools by its weights, and without them is refused", () =>
  inference(() =>
    scope(() => {
      const convolution = new FrameConvolution({ channels: 1, out: 1, stride: 2 });
      convolution.setParameter("pool.weight", tensor([1, 0, 0, 2]).reshape([1, 1, 2, 2]));
      convolution.setParameter("pool.bias", tensor([10]));
      const pooling = { mode: "conv", stride: 2 } as const;
      const features = numbered(1, 5);
      const found = poolFrames(features, layout(1, pooling), "before", { grid: gridOf(5), convolution });
      // Rows 0 and 1: 0 + 2·6, 2 + 2·8; rows 2 and 3: 10 + 2·16, 12 + 2·18; ten more each.
      assert.deepEqual(found.toNumbers(), [22, 28, 52, 58]);
      assert.throws(() => poolFrames(features, layout(1, pooling), "before", { grid: gridOf(5) }), {
        code: "config",
      });
    }),
  ));

describe("newlines", () => {
  const packed = (newlines: FrameNewlines, side = 2, frames = 2) => {
    const features = numbered(frames, side);
    const merged = layout(frames, { stride: 1 }, newlines);
    return packFrames(features, merged, { grid: gridOf(side), newline: tensor([-1]) }).toNumbers();
  };
  test("stand nowhere, at the end, behind frames, or behind their rows", () =>
    inference(() =>
      scope(() => {
        assert.deepEqual(packed("none"), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert.deepEqual(packed("video"), [0, 1, 2, 3, 4, 5, 6, 7, -1]);
        assert.deepEqual(packed("frame"), [0, 1, 2, 3, -1, 4, 5, 6, 7, -1]);
        assert.deepEqual(packed("grid"), [0, 1, -1, 2, 3, -1, 4, 5, -1, 6, 7, -1]);
      }),
    ));

  test("and frames are as many as LLaVA-NeXT's and LLaVA-Video's own code counts", () => {
    const count = (frames: number, side: number, stride: number, newlines: FrameNewlines, mode = "average") =>
      tokensOf(layout(frames, { mode: mode as FramePooling["mode"], stride }, newlines), gridOf(side));
    const table = [
      [4, 576, 577, 580, 624, 144, 168, 784, 840],
      [8, 1152, 1153, 1160, 1248, 288, 336, 1568, 1680],
      [16, 2304, 2305, 2320, 2496, 576, 672, 3136, 3360],
      [32, 4608, 4609, 4640, 4992, 1152, 1344, 6272, 6720],
      [56, 8064, 8065, 8120, 8736, 2016, 2352, 10976, 11760],
      [64, 9216, 9217, 9280, 9984, 2304, 2688, 12544, 13440],
    ];
    for (const [frames = 0, ...expected] of table)
      assert.deepEqual(
        [
          count(frames, 24, 2, "none"),
          count(frames, 24, 2, "video"),
          count(frames, 24, 2, "frame"),
          count(frames, 24, 2, "grid"),
          count(frames, 24, 4, "none"),
          count(frames, 24, 4, "grid"),
          count(frames, 27, 2, "none", "bilinear"),
          count(frames, 27, 2, "grid", "bilinear"),
        ],
        expected,
      );
  });
});

test("there are as many rows of features as are counted, whatever the pooling", () =>
  inference(() =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 3, max: 12 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom("average", "max", "bilinear"),
        fc.constantFrom("before", "after"),
        fc.constantFrom(...frameNewlines),
        (frames, side, stride, mode, place, newlines) =>
          scope(() => {
            const merged = layout(frames, { mode, stride, place } as FramePooling, newlines);
            const grid = gridOf(side);
            const before = poolFrames(numbered(frames, side), merged, "before", { grid });
            const after = poolFrames(before, merged, "after", { grid });
            const rows = packFrames(after, merged, { grid, newline: tensor([-1]) });
            assert.equal(rows.size(0), tokensOf(merged, grid));
            const { newlines: counted } = tokenCountsOf(merged, grid);
            assert.equal(rows.toNumbers().filter((value) => value === -1).length, counted);
          }),
      ),
      { numRuns: 200 },
    ),
  ));

test("equal frames give equal features, as often as they come", () =>
  inference(() =>
    scope(() => {
      const frame = randn([1, 25, 3], new Generator(1));
      const once = pooled(frame, 5, { mode: "bilinear", stride: 2 });
      assert.deepEqual(pooled(cat([frame, frame, frame]), 5, { mode: "bilinear", stride: 2 }), [
        ...once,
        ...once,
        ...once,
      ]);
    }),
  ));
