import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  arange,
  aten,
  byteWidth,
  type DType,
  fromTyped,
  longTensor,
  ones,
  tensor,
  useDevice,
  zeros,
} from "./index.ts";

const bits = (bytes: Uint8Array): number[] => Array.from(new Uint16Array(bytes.buffer));

describe("numbers go in and come out as each dtype stores them", () => {
  const cases: [DType, number[], number[]][] = [
    ["uint8", [0, 255, 7], [0, 255, 7]],
    ["int8", [-128, 127, 7], [-128, 127, 7]],
    ["int16", [-32768, 32767], [-32768, 32767]],
    ["int32", [-2147483648, 1 << 20], [-2147483648, 1 << 20]],
    ["int64", [-(2 ** 53), 2 ** 53, 3], [-(2 ** 53), 2 ** 53, 3]],
    ["float16", [1 / 3, 65504, -1e-8], [0.333251953125, 65504, -0]],
    ["bfloat16", [1 / 3, 3.39e38, 1.00390625], [0.333984375, 3.3895313892515355e38, 1]],
    ["float32", [1 / 3, 1e-45], [Math.fround(1 / 3), 2 ** -149]],
    ["float64", [1 / 3, Number.MIN_VALUE], [1 / 3, Number.MIN_VALUE]],
    ["bool", [0, 1, 1], [0, 1, 1]],
  ];
  for (const [dtype, given, expected] of cases)
    test(dtype, () => {
      const made = tensor(given, { dtype });
      assert.equal(made.dtype, dtype);
      assert.equal(made.toBytes().byteLength, given.length * byteWidth[dtype]);
      assert.deepEqual(made.toNumbers(), expected);
      assert.deepEqual(fromTyped(made.toBytes(), { dtype, shape: [given.length] }).toNumbers(), expected);
    });
});

test("bfloat16 is the upper half of float32, rounded to even", () => {
  const made = tensor([1, -2, 1.00390625, 1.01171875], { dtype: "bfloat16" });
  assert.deepEqual(bits(made.toBytes()), [0x3f80, 0xc000, 0x3f80, 0x3f82]);
  assert.deepEqual(Array.from(made.toFloat32Array()), [1, -2, 1, 1.015625]);
});

test("a typed array enters from its own offset, and is copied", () => {
  const whole = Float32Array.of(9, 1, 2, 3, 4, 9);
  const part = whole.subarray(1, 5);
  const made = fromTyped(part, { dtype: "float32", shape: [2, 2] });
  part[0] = 100;
  assert.deepEqual(made.toNumbers(), [1, 2, 3, 4]);
  assert.deepEqual(made.shape, [2, 2]);
  const halves = new Float16Array([0.5, 1.5, 2.5]).subarray(1);
  assert.deepEqual(fromTyped(halves, { dtype: "float16" }).toNumbers(), [1.5, 2.5]);
  const bytes = Uint8Array.of(0, 0, 128, 63, 7).subarray(0, 4); // float32 1, at any alignment
  assert.deepEqual(fromTyped(Uint8Array.of(7, ...bytes).subarray(1), { dtype: "float32" }).toNumbers(), [1]);
  assert.deepEqual(fromTyped(new DataView(whole.buffer, 4, 8), { dtype: "float32" }).toNumbers(), [100, 2]);
  assert.deepEqual(fromTyped(new Float32Array(0), { dtype: "float32", shape: [0, 5] }).shape, [0, 5]);
});

test("views come out in row-major order", () => {
  const grid = tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] });
  assert.deepEqual(grid.transpose(0, 1).toNumbers(), [1, 4, 2, 5, 3, 6]);
  assert.deepEqual(grid.slice(1, -1).toNumbers(), [3, 6]);
  assert.deepEqual(Array.from(grid.transpose(0, 1).toFloat32Array()), [1, 4, 2, 5, 3, 6]);
  assert.deepEqual(
    grid.split([1, 2], 1).map((part) => part.toNumbers()),
    [
      [1, 4],
      [2, 3, 5, 6],
    ],
  );
});

test("a whole number is an integer scalar, as a literal is in PyTorch", () => {
  assert.equal(longTensor([1, 2]).add(1).dtype, "int64");
  assert.equal(longTensor([1, 2]).mul(0.5).dtype, "float32");
  assert.equal(ones([1], { dtype: "bfloat16" }).mul(3).dtype, "bfloat16");
  assert.deepEqual(ones([2]).add(Number.NaN).toNumbers(), [Number.NaN, Number.NaN]);
  assert.deepEqual(ones([1]).mul(-Infinity).toNumbers(), [-Infinity]);
  assert.deepEqual(ones([1], { dtype: "float64" }).mul(1e300).toNumbers(), [1e300]);
});

test("absent arguments take the operator's defaults; several results come as an array", () => {
  const [values, indices] = aten.topk(tensor([3, 9, 5]), 2);
  assert.deepEqual(
    [values.toNumbers(), indices.toNumbers()],
    [
      [9, 5],
      [1, 2],
    ],
  );
  assert.deepEqual(aten.topk(tensor([3, 9, 5]), 2, undefined, false)[0].toNumbers(), [3, 5]);
  assert.deepEqual(tensor([-1, 0.5, 9]).clamp(undefined, 1).toNumbers(), [-1, 0.5, 1]);
  assert.deepEqual(arange(0, 5, { step: 2 }).toNumbers(), [0, 2, 4]);
  assert.equal(aten.argmax(tensor([1, 3, 2])).item(), 1);
});

test("an operator that writes in place returns the very object", () => {
  const target = zeros([2]);
  assert.equal(target.add_(ones([2])), target);
  assert.equal(target.fill_(3), target);
  assert.deepEqual(target.toNumbers(), [3, 3]);
});

test("shape, dtype and size are those of the tensor", () => {
  const made = zeros([2, 0, 3], { dtype: "float16" });
  assert.deepEqual([made.shape, made.dtype, made.device, made.elements], [[2, 0, 3], "float16", "cpu", 0]);
  assert.equal(made.size(-1), 3);
  assert.throws(() => made.size(3), /no dimension 3/);
  assert.equal(ones([], { dtype: "bool" }).item(), 1);
  assert.equal(made.to("float16"), made);
});

test("a device that does not exist is refused with what to do", () => {
  assert.equal(useDevice("cpu"), "cpu");
  assert.throws(() => useDevice("tpu"), { code: "usage" });
  assert.throws(() => useDevice("cuda:99"), { code: "setup" });
});
