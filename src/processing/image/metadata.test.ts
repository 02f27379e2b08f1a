import assert from "node:assert/strict";
import { describe, test } from "node:test";
import sharp from "sharp";
import { decodeImage } from "./decode.ts";
import { tellsPlace, withoutMetadata } from "./metadata.ts";

const noise = Uint8Array.from({ length: 24 * 16 * 3 }, (_, at) => (at * 97) % 251);
const image = () => sharp(noise, { raw: { width: 24, height: 16, channels: 3 } });
const place = { IFD0: { Artist: "Anna" }, IFD3: { GPSLatitudeRef: "N", GPSLatitude: "48/1 51/1 30/1" } };

describe("what an image file tells beside its pixels", () => {
  test("is known, and left out", async () => {
    const files = {
      jpeg: await image().withIccProfile("p3").jpeg().withExif(place).toBuffer(),
      progressive: await image().jpeg({ progressive: true }).withExif(place).toBuffer(),
      png: await image().png().withExif(place).toBuffer(),
      webp: await image().webp({ lossless: true }).withExif(place).toBuffer(),
      turned: await image().jpeg().withExif(place).withMetadata({ orientation: 6 }).toBuffer(),
    };
    for (const [name, bytes] of Object.entries(files)) {
      assert.equal(await tellsPlace(bytes), true, name);
      const bare = await withoutMetadata(Buffer.concat([bytes, Buffer.from("and behind it")]), name);
      assert.equal(await tellsPlace(bare.bytes), false, name);
      const { exif, icc, xmp } = await sharp(bare.bytes).metadata();
      assert.deepEqual([exif, icc, xmp], [undefined, undefined, undefined], name);
      assert.equal(Buffer.from(bare.bytes).indexOf("and behind it"), -1);
      const [before, after] = [await decodeImage(bytes), await decodeImage(bare.bytes)];
      assert.deepEqual([after.width, after.height], name === "turned" ? [16, 24] : [24, 16]);
      if (name !== "turned") assert.deepEqual(after.data, before.data, name);
    }
  });

  test("may be nothing", async () => {
    const bytes = await image().jpeg().toBuffer();
    assert.equal(await tellsPlace(bytes), false);
    assert.deepEqual(
      await decodeImage((await withoutMetadata(bytes, "plain")).bytes),
      await decodeImage(bytes),
    );
    await assert.rejects(withoutMetadata(Buffer.from("no image"), "text.jpg"), { code: "image" });
  });
});
