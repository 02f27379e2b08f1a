import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { decodeImage } from "./decode.ts";

type Case = { name: string; width: number; height: number; sha256: string; base64: string };

const cases: Case[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/image/decode.json", import.meta.url), "utf8"),
);
const bytesOf = (name: string) => Buffer.from(cases.find((each) => each.name === name)!.base64, "base64");

const folder = temporaryFolder("llava-decode");

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("decodeImage", () => {
  for (const { name, width, height, sha256 } of cases) {
    test(`${name} has Pillow's pixels`, async () => {
      const image = await decodeImage(bytesOf(name));
      assert.deepEqual([image.width, image.height], [width, height]);
      assert.equal(createHash("sha256").update(image.data).digest("hex"), sha256);
    });
  }

  test("a path gives what its bytes give", async () => {
    assert.deepEqual(
      await decodeImage(file("a.png", bytesOf("rgb.png"))),
      await decodeImage(bytesOf("rgb.png")),
    );
  });
});

describe("decodeImage refuses, naming the file:", () => {
  test("what is not there, a directory, an empty file", async () => {
    const missing = join(folder, "missing.jpg");
    await assert.rejects(decodeImage(missing), { code: "image", message: `${missing}: no such file` });
    await assert.rejects(decodeImage(folder), { code: "image", message: /: is a directory/ });
    await assert.rejects(decodeImage(file("empty.jpg", "")), {
      code: "image",
      message: /empty\.jpg: .*empty/,
    });
  });

  test("other contents under an image's name, saying what they look like", async () => {
    const looks: [content: string, kind: RegExp][] = [
      ["Dear diary,\nnot a photo", /text that starts "Dear diary,"/],
      ["<!DOCTYPE html><title>404</title>", /an HTML page/],
      ['<svg xmlns="http://www.w3.org/2000/svg"/>', /an SVG drawing/],
      ['{"error": "not found"}', /JSON text/],
      ["version https://git-lfs.github.com/spec/v1\noid sha256:0", /Git LFS pointer/],
      ["%PDF-1.7", /a PDF document/],
      ["BM\0\0\0\0", /a BMP image/],
      ["\0\x01\x02\x03", /binary data/],
    ];
    for (const [content, kind] of looks) {
      const path = file("photo.jpg", content);
      await assert.rejects(decodeImage(path), (error: Error & { code: string }) => {
        assert.equal(error.code, "image");
        assert.ok(error.message.startsWith(path), error.message);
        assert.match(error.message, kind);
        return true;
      });
    }
  });

  test("files cut short or damaged, in every format", async () => {
    for (const name of [
      "420.jpg",
      "422-progressive.jpg",
      "rgb.png",
      "rgb.webp",
      "palette-transparent.gif",
      "cmyk.tif",
    ]) {
      const whole = bytesOf(name);
      for (const part of [0.3, 0.6, 0.9]) {
        const cut = whole.subarray(0, Math.floor(whole.length * part));
        await assert.rejects(decodeImage(cut, { where: name }), {
          code: "image",
          message: new RegExp(`^${name}: `),
        });
      }
    }
    const damaged = bytesOf("rgb.png");
    damaged.fill(0x55, 60, 90);
    await assert.rejects(decodeImage(damaged, { where: "x.png" }), {
      code: "image",
      message: /^x\.png: damaged/,
    });
  });

  test("a header of 60,000 × 60,000 before decoding it", async () => {
    const bomb = bytesOf("rgb16.png");
    bomb.writeUInt32BE(60_000, 16);
    bomb.writeUInt32BE(60_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    await assert.rejects(decodeImage(bomb, { where: "bomb.png" }), {
      code: "image",
      message: "bomb.png: 60000×60000 is 3600000000 pixels, the limit is 100000000",
    });
  });

  test("more pixels or bytes than allowed", async () => {
    const bytes = bytesOf("rgb.png");
    const pixels = 19 * 13;
    await decodeImage(bytes, { maxPixels: pixels, maxBytes: bytes.length });
    await assert.rejects(decodeImage(bytes, { maxPixels: pixels - 1 }), {
      code: "image",
      message: /limit is 246/,
    });
    const path = file("b.png", bytes);
    for (const input of [bytes, path]) {
      await assert.rejects(decodeImage(input, { maxBytes: 100 }), { code: "image", message: /limit is 100/ });
    }
  });
});

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
