import assert from "node:assert/strict";
import type { Tensor } from "../../src/torch/index.ts";

/** The largest absolute difference between two tensors of the same shape. */
export function largestDifference(actual: Tensor, expected: Tensor): number {
  assert.deepEqual(actual.shape, expected.shape);
  const [a, b] = [actual.toFloat32Array(), expected.toFloat32Array()];
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference; // NaN counts as a difference
  }
  return largest;
}

export function assertClose(actual: Tensor, expected: Tensor, tolerance: number, what: string): void {
  const difference = largestDifference(actual, expected);
  assert.ok(difference <= tolerance, `${what}: differs by ${difference}, allowed ${tolerance}`);
}
