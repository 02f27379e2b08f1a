import assert from "node:assert/strict";
import { test } from "node:test";
import { clipImageConfig, preprocess, preprocessMirrored, type RgbImage } from "./index.ts";

/** Every byte another one than its neighbours. */
function picture(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 97 + (at >> 5) * 31) % 256);
  return { width, height, data };
}

function turned({ width, height, data }: RgbImage): RgbImage {
  const bytes = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++)
        bytes[(y * width + x) * 3 + channel] = data[(y * width + width - 1 - x) * 3 + channel]!;
  return { width, height, data: bytes };
}

const whole = clipImageConfig(28, "square");
const tiling = {
  resolutions: [
    { width: 56, height: 28 },
    { width: 28, height: 56 },
  ],
  side: 28,
  merge: { order: "unpad", overview: true, rounding: "round" },
} as const;

test("a whole image's values are turned, row by row", () => {
  const image = picture(45, 31);
  const [plain, mirrored] = [preprocess(image, whole), preprocessMirrored(image, whole)];
  const { data, width } = plain;
  for (const [at, value] of mirrored.data.entries()) {
    const column = at % width;
    assert.equal(value, data[at - column + (width - 1 - column)]);
  }
});

test("an image that is cut is turned before, so that its tiles change places", () => {
  const image = picture(45, 31);
  const mirrored = preprocessMirrored(image, { ...whole, tiling });
  assert.deepEqual(mirrored, preprocess(turned(image), { ...whole, tiling }));
  assert.notDeepEqual(mirrored, preprocess(image, { ...whole, tiling }));
  assert.equal(mirrored.tiles, 3);
});
