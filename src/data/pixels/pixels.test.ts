// Pixels from other threads: npm test -- src/data/pixels
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import sharp from "sharp";
import { LlavaError } from "../../errors.ts";
import { clipImageConfig, type PixelValues } from "../../processing/image/index.ts";
import { type PixelSource, pixelsHere } from "./pixel-loader.ts";
import { PixelPool } from "./pixel-pool.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-pixels-"));
after(() => rmSync(folder, { recursive: true }));

const processor = clipImageConfig(28, "pad");
const photos = await Promise.all(
  Array.from({ length: 9 }, (_, i) => {
    const data = Uint8Array.from({ length: 40 * (20 + i) * 3 }, (_, at) => (at * (i + 7)) % 251);
    return sharp(data, { raw: { width: 40, height: 20 + i, channels: 3 } })
      .jpeg()
      .toBuffer();
  }),
);
const sources = photos.map((bytes, i): PixelSource => {
  const where = join(folder, `${i}.jpg`);
  if (i % 2 === 0) return { image: bytes, where };
  writeFileSync(where, bytes);
  return { image: where, where };
});
const bytesOf = (pixels: PixelValues | LlavaError): string => {
  assert.ok(!(pixels instanceof LlavaError));
  return `${pixels.width}×${pixels.height} ${Buffer.from(pixels.data.buffer).toString("base64")}`;
};

describe("a pool of threads", () => {
  test("gives the pixels of loading here, for any number of threads", async () => {
    const here = await Promise.all(sources.map((source) => pixelsHere(processor).load(source)));
    for (const workers of [1, 2, 3]) {
      using pool = new PixelPool(processor, workers);
      const loaded = await Promise.all(sources.map((source) => pool.load(source)));
      assert.deepEqual(loaded.map(bytesOf), here.map(bytesOf));
      assert.deepEqual(bytesOf(await pool.load(sources[0]!)), bytesOf(here[0]!));
    }
  });

  test("tells of images that cannot be decoded as loading here does", async () => {
    using pool = new PixelPool(processor, 1);
    const bad = [
      { image: join(folder, "none.jpg"), where: "none.jpg" },
      { image: Buffer.from("text"), where: "text.jpg" },
      { image: photos[0]!.subarray(0, 300), where: "cut.jpg" },
    ];
    for (const source of bad) {
      const [there, here] = [await pool.load(source), await pixelsHere(processor).load(source)];
      assert.ok(there instanceof LlavaError && here instanceof LlavaError);
      assert.deepEqual([there.code, there.message, there.hint], [here.code, here.message, here.hint]);
    }
  });

  test("that is stopped or breaks down leaves nobody waiting", async () => {
    const pool = new PixelPool(processor, 1);
    const waiting = sources.map((source) => pool.load(source));
    pool[Symbol.dispose]();
    for (const each of waiting) await assert.rejects(each, { code: "aborted" });
    using broken = new PixelPool({ ...processor, resample: "none" } as unknown as typeof processor, 1);
    await assert.rejects(broken.load(sources[0]!), /TypeError/);
  });
});
