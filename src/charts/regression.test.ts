import assert from "node:assert/strict";
import { test } from "node:test";
import { linearRegression } from "./regression.ts";
import type { Point } from "./series.ts";
import { twoSidedStudentT } from "./student-t.ts";

const near = (actual: number | undefined, expected: number, tolerance = 5e-5): void =>
  assert.ok(Math.abs(actual! - expected) <= tolerance, `${actual} is not ${expected}`);

test("Student's t agrees with the printed tables", () => {
  const table = [
    [1, 12.7062],
    [2, 4.3027],
    [3, 3.1824],
    [4, 2.7764],
    [5, 2.5706],
    [10, 2.2281],
    [30, 2.0423],
    [120, 1.9799],
  ] as const;
  for (const [degrees, t] of table) near(twoSidedStudentT(0.95, degrees), t);
  near(twoSidedStudentT(0.99, 7), 3.4995);
  near(twoSidedStudentT(0.5, 1), 1);
});

test("the line through Anscombe's first set has the textbook's slope, r and intervals", () => {
  const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
  const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
  const fit = linearRegression(x.map((value, index): Point => [value, y[index]!]))!;
  near(fit.slope, 0.50009);
  near(fit.intercept, 3.00009);
  near(fit.r, 0.81642);
  // Standard error of the slope 0.11791, residual standard error 1.2366, t of 9 degrees 2.26216.
  near(fit.slopeInterval![0], 0.50009 - 2.26216 * 0.11791);
  const [low, high] = fit.band(9)!;
  near((high - low) / 2, (2.26216 * 1.2366) / Math.sqrt(11));
  near((low + high) / 2, 7.50091);
  const [, farther] = fit.band(14)!;
  assert.ok(farther - (fit.intercept + fit.slope * 14) > (high - low) / 2);
});

test("two points give a line without certainty, and one gives none", () => {
  const fit = linearRegression([
    [1, 2],
    [3, 8],
  ])!;
  assert.deepEqual([fit.slope, fit.intercept, fit.r, fit.band(2)], [3, -1, undefined, undefined]);
  assert.equal(linearRegression([[1, 2]]), undefined);
  assert.equal(
    linearRegression([
      [1, 2],
      [1, 3],
    ]),
    undefined,
  );
});
