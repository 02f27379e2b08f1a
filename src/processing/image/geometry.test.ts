import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pattern } from "../../../test/fixtures/image/pattern.ts";
import { centerRectangle, cropAt, padToSquare } from "./geometry.ts";
import { createImage, type RgbImage } from "./rgb.ts";

const pixel = ({ data, width }: RgbImage, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3).subarray(0, 3),
];

describe("geometry", () => {
  test("cropAt is black outside of the image", () => {
    const image = pattern(6, 4);
    const crop = cropAt(image, { left: 4, top: -1, width: 5, height: 3 });
    assert.deepEqual([crop.width, crop.height], [5, 3]);
    assert.deepEqual(pixel(crop, 0, 0), [0, 0, 0]);
    assert.deepEqual(pixel(crop, 0, 1), pixel(image, 4, 0));
    assert.deepEqual(pixel(crop, 1, 2), pixel(image, 5, 1));
    assert.deepEqual(pixel(crop, 2, 2), [0, 0, 0]);
    assert.ok(cropAt(image, { left: 9, top: 0, width: 2, height: 2 }).data.every((value) => value === 0));
  });

  test("a centred rectangle rounds down when it cuts and up when it pads", () => {
    const image = pattern(7, 4);
    const crop = cropAt(image, centerRectangle(image, 4, 7));
    assert.deepEqual(pixel(crop, 0, 2), pixel(image, 1, 0));
    assert.deepEqual(pixel(crop, 3, 5), pixel(image, 4, 3));
    assert.deepEqual(
      [pixel(crop, 0, 1), pixel(crop, 0, 6)],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    );
  });

  test("padToSquare pastes at the floor of half the difference", () => {
    const image = pattern(3, 6);
    const square = padToSquare(image);
    assert.deepEqual([square.width, square.height], [6, 6]);
    for (let y = 0; y < 6; y++) {
      assert.deepEqual(pixel(square, 0, y), [122, 116, 104]);
      assert.deepEqual(pixel(square, 1, y), pixel(image, 0, y));
      assert.deepEqual(pixel(square, 3, y), pixel(image, 2, y));
      assert.deepEqual(pixel(square, 4, y), [122, 116, 104]);
    }
    assert.deepEqual(pixel(padToSquare(pattern(4, 1), [1, 2, 3]), 0, 0), [1, 2, 3]);
    assert.deepEqual(pixel(padToSquare(pattern(4, 1), [1, 2, 3]), 2, 1), pixel(pattern(4, 1), 2, 0));
  });

  test("an image without pixels, or with too many, is refused", () => {
    const strip = { width: 1, height: 50_000, data: new Uint8Array(150_000) };
    assert.throws(() => padToSquare(strip), { code: "image", message: /50000×50000 is too large/ });
    assert.throws(() => createImage(0, 3), { code: "image", message: /0×3/ });
  });
});
