import assert from "node:assert/strict";
import { test } from "node:test";
import { turnOf } from "./turn.ts";

/** A matrix of rows [a, b, 0], [c, d, 0], [0, 0, 1]. */
function matrix(a: number, b: number, c: number, d: number): Buffer {
  const bytes = Buffer.alloc(36);
  for (const [index, value] of [a, b, 0, c, d, 0].entries()) bytes.writeInt32LE(value * 65536, 4 * index);
  bytes.writeInt32LE(2 ** 30, 32);
  return bytes;
}

test("pictures are turned as ffmpeg turns them", () => {
  const upright = { filters: [], isOnItsSide: false };
  assert.deepEqual(turnOf(null), upright);
  assert.deepEqual(turnOf(Buffer.alloc(36)), upright, "a matrix of zeros says nothing");
  assert.deepEqual(turnOf(matrix(1, 0, 0, 1)), upright);
  assert.deepEqual(turnOf(matrix(0, 1, -1, 0)), { filters: ["transpose=clock"], isOnItsSide: true });
  assert.deepEqual(turnOf(matrix(0, 1, 1, 0)), { filters: ["transpose=cclock_flip"], isOnItsSide: true });
  assert.deepEqual(turnOf(matrix(0, -1, 1, 0)), { filters: ["transpose=cclock"], isOnItsSide: true });
  assert.deepEqual(turnOf(matrix(0, -1, -1, 0)), { filters: ["transpose=clock_flip"], isOnItsSide: true });
  assert.deepEqual(turnOf(matrix(-1, 0, 0, -1)), { filters: ["hflip", "vflip"], isOnItsSide: false });
  assert.deepEqual(turnOf(matrix(1, 0, 0, -1)), { filters: ["vflip"], isOnItsSide: false });
  const half = Math.SQRT1_2;
  assert.deepEqual(turnOf(matrix(half, half, -half, half)), {
    filters: ["rotate=45*PI/180"],
    isOnItsSide: false,
  });
});
