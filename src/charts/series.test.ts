import assert from "node:assert/strict";
import { test } from "node:test";
import { type Point, smoothed, thinned } from "./series.ts";

test("smoothing starts at the first value and steps over gaps", () => {
  const points: Point[] = [
    [0, 4],
    [1, Number.NaN],
    [2, 0],
    [3, 8],
  ];
  // (0.5·4·0.5 + 0.5·0) / 0.75 and (0.5·1 + 0.5·8) / 0.875
  assert.deepEqual(smoothed(points, 0.5), [
    [0, 4],
    [1, Number.NaN],
    [2, 4 / 3],
    [3, 4.5 / 0.875],
  ]);
});

test("thinning keeps the ends and extremes of each pixel column, in order, and gaps", () => {
  const column: Point[] = [
    [5.0, 3],
    [5.1, 9],
    [5.2, 4],
    [5.3, 1],
    [5.4, 2],
    [5.5, 5],
  ];
  assert.deepEqual(
    thinned(column).map(([, y]) => y),
    [3, 9, 1, 5],
  );
  const gap: Point[] = [
    [1, 1],
    [1.2, Number.NaN],
    [1.4, 2],
    [7, 3],
  ];
  assert.deepEqual(thinned(gap), gap);
  const many = Array.from({ length: 1e5 }, (_, index): Point => [(index / 1e5) * 700, Math.sin(index)]);
  assert.ok(thinned(many).length <= 4 * 700);
});
