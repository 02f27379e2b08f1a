import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { pattern } from "../../../test/fixtures/image/pattern.ts";
import { clipImageConfig, efficientNetLiteImageConfig, parseImageProcessorConfig } from "./config.ts";
import { centerRectangle, cropAt } from "./geometry.ts";
import { gatherPixels, joinPixels, preprocess } from "./preprocess.ts";
import { resize } from "./resample.ts";
import type { RgbImage } from "./rgb.ts";

type Case = { from: [number, number]; size: number; crop: number; pad: boolean; sha256: string };

const cases: Case[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/image/preprocess.json", import.meta.url), "utf8"),
);

type TiledCase = { side: number; from: [number, number]; tiles: number; sha256: string };

const tiled: TiledCase[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/anyres/pixels.json", import.meta.url), "utf8"),
);

describe("preprocess", () => {
  test("equals transformers' processors on Pillow bit for bit", () => {
    assert.ok(cases.length > 80);
    for (const { from, size, crop, pad, sha256 } of cases) {
      const config = parseImageProcessorConfig(
        {
          image_processor_type: pad ? "LlavaImageProcessor" : "CLIPImageProcessor",
          size: { shortest_edge: size },
          crop_size: { height: crop, width: crop },
          do_pad: pad,
        },
        "test",
      );
      const values = preprocess(pattern(...from), config);
      assert.deepEqual([values.channels, values.height, values.width], [3, crop, crop]);
      const digest = createHash("sha256").update(values.data).digest("hex");
      assert.equal(digest, sha256, `${from.join("×")}, size ${size}, crop ${crop}, pad ${pad}`);
    }
  });

  test("pads an image with the mean colour where it is told to", () => {
    const image = pattern(40, 20);
    const padded = preprocess(image, clipImageConfig(28, "pad"));
    assert.notDeepEqual(padded, preprocess(image, clipImageConfig(28)));
    // The first row is padding: bytes 122, 116, 104.
    assert.ok(Math.abs(padded.data[0]! - (122 / 255 - 0.48145466) / 0.26862954) < 1e-6);
  });

  test("cuts AnyRes tiles as transformers' LLaVA-NeXT processor on Pillow does, bit for bit", () => {
    assert.ok(tiled.length > 40);
    for (const { side, from, tiles, sha256 } of tiled) {
      const resolutions = [
        [1, 2],
        [2, 1],
        [2, 2],
        [3, 1],
        [1, 3],
      ].map(([rows, columns]) => ({
        width: columns! * side,
        height: rows! * side,
      }));
      const merge = { order: "unpad", overview: true, rounding: "round" } as const;
      const values = preprocess(pattern(...from), {
        ...clipImageConfig(side),
        tiling: { resolutions, side, merge },
      });
      assert.deepEqual([values.tiles, values.channels, values.height, values.width], [tiles, 3, side, side]);
      const digest = createHash("sha256").update(values.data).digest("hex");
      assert.equal(digest, sha256, `${from.join("×")} in tiles of ${side}`);
    }
  });

  test("steps left out of the configuration are left out", () => {
    const image = pattern(12, 9);
    const bytes = preprocess(image, {
      aspect: "square",
      resize: null,
      resample: "bicubic",
      crop: null,
      rescaleFactor: null,
      normalize: null,
    });
    assert.deepEqual([bytes.height, bytes.width], [9, 12]);
    for (const [channel, x, y] of [
      [0, 0, 0],
      [1, 11, 4],
      [2, 5, 8],
    ] as const) {
      assert.equal(bytes.data[(channel * 9 + y) * 12 + x], image.data[(y * 12 + x) * 3 + channel]);
    }
  });

  test("EfficientNet-lite: shortest edge, centre, (byte − 127) / 128", () => {
    const image = pattern(300, 280);
    const values = preprocess(image, efficientNetLiteImageConfig(260));
    const resized = resize(image, 278, 260, "bicubic");
    const expected = cropAt(resized, centerRectangle(resized, 260, 260));
    for (let at = 0; at < 260 * 260; at += 97) {
      for (let channel = 0; channel < 3; channel++) {
        const value = (expected.data[at * 3 + channel]! - 127) / 128;
        assert.ok(Math.abs(values.data[channel * 260 * 260 + at]! - value) < 1e-6);
      }
    }
  });
});

test("frames are gathered in memory that is taken once", async () => {
  const config = clipImageConfig(14);
  const frames = [10, 120, 230].map((grey) => ({
    width: 20,
    height: 16,
    data: new Uint8Array(3 * 20 * 16).map((_, at) => (grey + at) & 255),
  }));
  async function* several() {
    yield* frames;
  }
  const valuesOf = (image: RgbImage, into?: Float32Array) => preprocess(image, config, undefined, into);
  const found = await gatherPixels(several(), 3, valuesOf);
  assert.deepEqual(found, joinPixels(frames.map((frame) => preprocess(frame, config))));
  await assert.rejects(gatherPixels(several(), 2, valuesOf), RangeError);
  await assert.rejects(gatherPixels(several(), 4, valuesOf), RangeError);
});
