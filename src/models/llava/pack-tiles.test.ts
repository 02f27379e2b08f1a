// As many sizes as are wanted: RUNS=20000 npm test -- src/models/llava/pack-tiles.test.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { assertClose } from "../../../test/support/close.ts";
import {
  type FeatureMerge,
  layoutOf,
  type TiledLayout,
  tilesOf,
  tokensOf,
} from "../../processing/image/index.ts";
import { backward, fromTyped, scope, type Tensor, tensor } from "../../torch/index.ts";
import { packTiles } from "./pack-tiles.ts";

type Case = {
  size: [number, number];
  grid: [number, number];
  side: number;
  order: FeatureMerge["order"];
  overview: boolean;
  most: number;
  tokens: number[];
};

const cases: Case[] = JSON.parse(readFileSync("test/fixtures/anyres/packed.json", "utf8"));
const tileOf = (side: number) => ({ rows: side, columns: side, extra: 0 });

/** Features of width 2, each the index of its row and the negative of it. */
const indexFeatures = (tiles: number, side: number): Tensor => {
  const rows = tiles * side ** 2;
  const values = Float32Array.from({ length: rows * 2 }, (_, i) => (i % 2 ? -1 : 1) * (i >> 1));
  return fromTyped(values, { dtype: "float32", shape: [tiles, side ** 2, 2] });
};

describe("packTiles", () => {
  test("puts features in the order of the original code's merge types", () => {
    assert.equal(cases.length, 120);
    for (const { size, grid, side, order, overview, most, tokens } of cases)
      scope(() => {
        const [rows, columns] = grid;
        const layout: TiledLayout = {
          tiles: "anyres",
          size: { width: size[0], height: size[1] },
          canvas: { width: columns, height: rows },
          grid: { rows, columns },
          merge: { order, overview, rounding: "truncate", ...(most > 0 && { mostTiles: most }) },
        };
        const newline = tensor([-1, 1]);
        const packed = packTiles(indexFeatures(tilesOf(layout), side), layout, {
          tile: tileOf(side),
          newline,
        });
        const name = `${size} ${order} ${overview} ${most}`;
        assert.equal(tokensOf(layout, tileOf(side)), tokens.length, name);
        const expected = tensor(tokens);
        assertClose(packed.select(1, 0), expected, 1e-4, name);
        // The largest of negatives is another one.
        if (order !== "maxpool2x2") assertClose(packed.select(1, 1), expected.neg(), 1e-4, name);
      });
  });

  test("gives as many rows as are counted, whatever the size", () => {
    const side = fc.integer({ min: 1, max: 3000 });
    const merges = fc.record({
      order: fc.constantFrom("flat", "spatial", "unpad", "maxpool2x2"),
      overview: fc.boolean(),
      rounding: fc.constantFrom("truncate", "round"),
      mostTiles: fc.constantFrom(undefined, 1, 2, 9),
    });
    const resolutions = [
      [1, 2],
      [2, 1],
      [2, 2],
      [3, 1],
      [1, 3],
    ].map(([a, b]) => ({ width: a! * 336, height: b! * 336 }));
    fc.assert(
      fc.property(
        side,
        side,
        merges,
        fc.constantFrom(2, 5, 24),
        (width, height, { mostTiles, ...merge }, g) => {
          const tiling = { resolutions, side: 336, merge: { ...merge, ...(mostTiles && { mostTiles }) } };
          const layout = layoutOf({ width, height }, { tiling });
          assert.ok(layout.tiles === "anyres");
          const rows = scope(() =>
            packTiles(indexFeatures(tilesOf(layout), g), layout, {
              tile: tileOf(g),
              newline: tensor([0, 0]),
            }).size(0),
          );
          assert.equal(rows, tokensOf(layout, tileOf(g)));
        },
      ),
      { numRuns: Number(process.env["RUNS"] ?? 2_000) },
    );
  });

  test("hands gradients to the features that are kept and to the newline", () => {
    scope(() => {
      const layout = layoutOf(
        { width: 90, height: 20 },
        {
          tiling: {
            resolutions: [{ width: 3, height: 1 }],
            side: 1,
            merge: { order: "unpad", overview: true, rounding: "truncate" },
          },
        },
      ) as TiledLayout;
      const features = indexFeatures(4, 4).requiresGrad_();
      const newline = tensor([1, 1]).requiresGrad_();
      backward([packTiles(features, layout, { tile: tileOf(4), newline }).sum()]);
      const kept = tokensOf(layout, tileOf(4));
      const rows = newline.grad!.toNumbers()[0]!;
      assert.ok(rows > 0 && rows < 4, "the bars above and below are cut away");
      assert.equal(features.grad!.sum().item(), 2 * (kept - rows));
    });
  });
});
