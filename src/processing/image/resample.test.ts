import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { pattern } from "../../../test/fixtures/image/pattern.ts";
import { cropAt } from "./geometry.ts";
import { RESAMPLE_CODES, resize } from "./resample.ts";

type Case = { from: [number, number]; to: [number, number]; resample: number; sha256: string };

const cases: Case[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/image/resize.json", import.meta.url), "utf8"),
);

describe("resize", () => {
  test("equals Pillow byte for byte", () => {
    assert.ok(cases.length > 80);
    for (const { from, to, resample, sha256 } of cases) {
      const name = RESAMPLE_CODES[resample]!;
      const resized = resize(pattern(...from), ...to, name);
      assert.deepEqual([resized.width, resized.height], to);
      const digest = createHash("sha256").update(resized.data).digest("hex");
      assert.equal(digest, sha256, `${from.join("×")} to ${to.join("×")}, ${name}`);
    }
  });

  test("a region is that part of the whole", () => {
    for (const { from, to, resample } of cases) {
      const [width, height] = to;
      if (width < 4 || height < 4) continue;
      const name = RESAMPLE_CODES[resample]!;
      const region = { left: 1, top: 2, width: width - 3, height: height - 3 };
      const image = pattern(...from);
      assert.deepEqual(
        resize(image, width, height, name, region),
        cropAt(resize(image, width, height, name), region),
        `${from.join("×")} to ${to.join("×")}, ${name}`,
      );
    }
  });

  test("leaves the source alone and keeps a flat colour flat", () => {
    const image = { width: 5, height: 7, data: new Uint8Array(105).fill(200) };
    for (const resized of [resize(image, 11, 3, "bicubic"), resize(image, 2, 20, "bilinear")]) {
      assert.ok(resized.data.every((value) => value === 200));
    }
    assert.ok(image.data.every((value) => value === 200));
  });

  test("costs the region only, however large the whole", () => {
    const strip = { width: 1, height: 4000, data: pattern(1, 4000).data };
    const region = { left: 0, top: 600_000, width: 336, height: 336 };
    const resized = resize(strip, 336, 336 * 4000, "bicubic", region);
    // Pixel y of the strip is centred between outputs y·336 + 167 and + 168.
    const y = Math.floor(600_167 / 336);
    assert.ok(Math.abs(resized.data[(y * 336 + 168 - 600_000) * 336 * 3]! - strip.data[y * 3]!) <= 1);
    assert.throws(() => resize(strip, 336, 336 * 4000, "bicubic"), { code: "image", message: /too large/ });
  });

  test("refuses sides that are not whole or below 1", () => {
    for (const [width, height] of [
      [0, 5],
      [5, -1],
      [2.5, 4],
    ] as const) {
      assert.throws(() => resize(pattern(4, 4), width, height, "bicubic"), {
        code: "image",
        message: /cannot be/,
      });
    }
  });
});
