import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { layoutOf, mapOf, tokensOf } from "./layout.ts";
import { bestResolution, sizeOnCanvas, type Tiling } from "./tiles.ts";

const grid = (side: number) => ({ rows: side, columns: side, extra: 0 });

const FIVE = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
] as const;
const upTo = (most: number) => Array.from({ length: most }, (_, index) => index + 1);
const SQUARE = upTo(6).flatMap((i) => upTo(6).map((j) => [i * 384, j * 384] as const));

/** The original code reads a pair as width and height, transformers as height and width. */
const tiling = (stack: string, scheme: string): Tiling => {
  const isOriginal = stack === "next";
  const pairs: readonly (readonly [number, number])[] = scheme === "next5" ? FIVE : SQUARE;
  return {
    resolutions: pairs.map(([a, b]) => (isOriginal ? { width: a, height: b } : { width: b, height: a })),
    side: scheme === "next5" ? 336 : 384,
    merge: {
      order: "unpad",
      overview: true,
      rounding: isOriginal ? "truncate" : "round",
      ...(scheme === "ov36_max9" && { mostTiles: 9 }),
    },
  };
};

describe("AnyRes layouts", () => {
  const [, ...lines] = readFileSync("test/fixtures/anyres/golden.csv", "utf8").trim().split("\n");
  for (const scheme of ["next5", "ov36_max9"])
    for (const stack of ["next", "hf"])
      test(`count the tokens that ${stack} counts with ${scheme}`, () => {
        const rows = lines
          .map((line) => line.split(","))
          .filter((row) => row[0] === scheme && row[1] === stack);
        assert.ok(rows.length > 40);
        for (const row of rows) {
          const [
            width,
            height,
            bestWidth,
            bestHeight,
            across,
            down,
            keptWidth,
            keptHeight,
            finalWidth,
            finalHeight,
            tokens,
          ] = row.slice(2).map(Number) as [number, number, ...number[]];
          const layout = layoutOf({ width, height }, { tiling: tiling(stack, scheme) });
          assert.ok(layout.tiles === "anyres");
          const tile = grid(scheme === "next5" ? 24 : 27);
          const { kept, final } = mapOf(layout, tile);
          assert.deepEqual(
            [
              layout.canvas.width,
              layout.canvas.height,
              layout.grid.columns,
              layout.grid.rows,
              kept.columns,
              kept.rows,
              final.columns,
              final.rows,
              tokensOf(layout, tile),
            ],
            [bestWidth, bestHeight, across, down, keptWidth, keptHeight, finalWidth, finalHeight, tokens],
            `${width}×${height}`,
          );
        }
      });

  test("differ between the two roundings by the sizes that are known for it", () => {
    const count = (stack: string, width: number, height: number) =>
      tokensOf(layoutOf({ width, height }, { tiling: tiling(stack, "next5") }), grid(24));
    const differing = [
      [396, 704, 1872, 1968],
      [1408, 792, 1850, 1948],
      [328, 861, 2126, 2176],
      [656, 205, 1262, 1360],
      [799, 376, 1800, 1848],
      [220, 1056, 1656, 1800],
    ] as const;
    for (const [width, height, original, huggingFace] of differing)
      assert.deepEqual([count("next", width, height), count("hf", width, height)], [original, huggingFace]);
  });

  test("take the tokens that each way to merge features is known for", () => {
    const sizes = [
      [640, 480],
      [1000, 200],
      [336, 336],
    ] as const;
    const counts = (merge: Partial<Tiling["merge"]>) => {
      const five = tiling("next", "next5");
      return sizes.map(([width, height]) =>
        tokensOf(
          layoutOf({ width, height }, { tiling: { ...five, merge: { ...five.merge, ...merge } } }),
          grid(24),
        ),
      );
    };
    assert.deepEqual(counts({ order: "flat" }), [2880, 2304, 1728]);
    assert.deepEqual(counts({ order: "spatial" }), [2880, 2304, 1728]);
    assert.deepEqual(counts({ order: "unpad" }), [2340, 1598, 1176]);
    assert.deepEqual(counts({ order: "maxpool2x2" }), [1152, 1008, 864]);
    assert.deepEqual(counts({ overview: false }), [1764, 1022, 600]);
    assert.deepEqual(counts({ order: "maxpool2x2", overview: false }), [576, 432, 288]);
    assert.deepEqual(counts({ mostTiles: 1 }), [1136, 1126, 1176]);
    assert.deepEqual(counts({ mostTiles: 2 }), [1736, 1598, 1176]);
  });

  test("put any image on a canvas of whole tiles that it fills along one side", () => {
    const side = fc.integer({ min: 1, max: 20_000 });
    fc.assert(
      fc.property(side, side, fc.constantFrom("next5", "ov36_max9"), (width, height, scheme) => {
        const { resolutions, side: tileSide } = tiling("hf", scheme);
        const canvas = bestResolution({ width, height }, resolutions);
        const shown = sizeOnCanvas({ width, height }, canvas);
        assert.equal(canvas.width % tileSide, 0);
        assert.ok(shown.width === canvas.width || shown.height === canvas.height);
        assert.ok(
          shown.width <= canvas.width &&
            shown.height <= canvas.height &&
            Math.min(shown.width, shown.height) > 0,
        );
      }),
    );
  });
});
