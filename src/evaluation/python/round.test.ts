import assert from "node:assert/strict";
import { test } from "node:test";
import { roundHalfEven } from "./index.ts";

test("halves go to the even digit, all else to the nearest, as in Python", () => {
  const cases: [number, number, number][] = [
    [0.125, 2, 0.12],
    [0.375, 2, 0.38],
    [8.0625, 3, 8.062],
    [-8.0625, 3, -8.062],
    [-8.1875, 3, -8.188],
    [72.25, 1, 72.2],
    [72.75, 1, 72.8],
    [2.675, 2, 2.67],
    [1.005, 2, 1],
    [0.5, 0, 0],
    [1.5, 0, 2],
    [2.5, 0, 2],
    [7, 1, 7],
    [9.96, 1, 10],
    [Infinity, 2, Infinity],
    [Number.NaN, 2, Number.NaN],
  ];
  for (const [value, digits, expected] of cases)
    assert.equal(roundHalfEven(value, digits) + 0, expected, `${value} to ${digits} places`);
});
