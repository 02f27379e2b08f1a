// All kinds of image files, their orientation and transparency: npm test -- src/processing/image/kinds.test.ts
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LlavaError } from "../../errors.ts";
import { parseImageProcessorConfig } from "./config.ts";
import { decodeImage, openEncoded } from "./decode.ts";
import { type TransparentImage, transparencyNote } from "./transparency.ts";

interface Case {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly sha256?: string;
  /** On white, where it has transparency. */
  readonly white?: string;
  /** Of AVIF, in base64. */
  readonly pixels?: string;
  readonly base64: string;
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/image/kinds.json", import.meta.url), "utf8"),
);
const fileOf = (name: string): Buffer =>
  Buffer.from(cases.find((each) => each.name === name)!.base64, "base64");
const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

describe("decodeImage has Pillow's pixels of", () => {
  for (const { name, width, height, ...expected } of cases)
    test(name, async () => {
      const image = await decodeImage(fileOf(name));
      assert.deepEqual([image.width, image.height], [width, height]);
      if (expected.pixels === undefined) {
        assert.equal(sha256(image.data), expected.sha256);
        return;
      }
      const pixels = Buffer.from(expected.pixels, "base64");
      for (const [at, value] of image.data.entries())
        assert.ok(Math.abs(value - pixels[at]!) <= 3, `${value} at ${at}, expected ${pixels[at]}`);
    });
});

describe("the header has the size of the upright image of", () => {
  for (const { name, width, height } of cases)
    test(name, async () => {
      const { size } = await openEncoded(fileOf(name));
      assert.deepEqual([size.width, size.height], [width, height]);
    });
});

describe("decodeImage on white has Pillow's pixels of", () => {
  for (const { name, white } of cases)
    if (white !== undefined)
      test(name, async () => {
        const { data } = await decodeImage(fileOf(name), { transparency: "white" });
        assert.equal(sha256(data), white);
      });
});

describe("decodeImage", () => {
  test("leaves the caller's bytes as they are", async () => {
    for (const { name } of cases) {
      const file = fileOf(name);
      await decodeImage(file);
      assert.deepEqual(file, fileOf(name), name);
    }
  });

  test("tells of transparency where there is some, by how much is seen of it", async () => {
    const found: TransparentImage[] = [];
    const look = async (name: string, transparency: "drop" | "white") => {
      found.length = 0;
      await decodeImage(fileOf(name), {
        where: name,
        transparency,
        onTransparency: (one) => found.push(one),
      });
      return found[0];
    };
    assert.equal(await look("gif-part.gif", "drop"), undefined);
    assert.equal(await look("bmp-24.bmp", "white"), undefined);
    const { share, changed, ...rest } = (await look("gif-part-transparent.gif", "drop"))!;
    assert.deepEqual(rest, { where: "gif-part-transparent.gif", transparency: "drop" });
    assert.ok(share > 0.7 && changed === share, `${share} ${changed}`);
    assert.equal((await look("gif-part-transparent.gif", "white"))!.share, share);
  });

  test("refuses damage, and kinds that are not read by their names, with a way out", async () => {
    const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
    const refused: [bytes: Buffer, message: string, hint: RegExp][] = [
      [latin1("\0\0\0\x0cjP  \r\n\x87\n"), "is a JPEG 2000 image, a kind that is not read", /convert it/],
      [latin1("\0\0\0\x18ftypheic"), "is a HEIC image, a kind that is not read", /JPEG, PNG.*and ICO/],
      [latin1("qoif\0\0\0\x01"), "is a QOI image, a kind that is not read", /convert it/],
      [latin1("\xff\x0a\0\0"), "is a JPEG XL image, a kind that is not read", /convert it/],
      [latin1("8BPS\0\x01"), "is a Photoshop image, a kind that is not read", /convert it/],
      [latin1("\0\0\0\x18ftypisom"), "looks like an MP4 or QuickTime video, expected an image", /frame/],
      [latin1("PK\x03\x04"), "looks like a zip archive, expected an image", /unpack/],
      [latin1("\x1f\x8b\x08\0"), "looks like a gzip archive, expected an image", /unpack/],
      [latin1("%PDF-1.7"), "looks like a PDF document, expected an image", /page/],
      [latin1("<svg/>"), "looks like an SVG drawing, expected an image", /as PNG/],
      [
        latin1("<?xml version='1.0'?>\n<!-- x -->\n<svg/>"),
        "looks like an SVG drawing, expected an image",
        /PNG/,
      ],
      [latin1("<!-- x --><html>"), "looks like an HTML page, expected an image", /leads to text/],
      [
        latin1("BMW is a maker of cars"),
        'looks like text that starts "BMW is a maker of cars", expected an image',
        /text/,
      ],
      [
        latin1("version https://git-lfs.github.com/spec/v1"),
        "looks like a Git LFS pointer, not the file itself, expected an image",
        /git lfs pull/,
      ],
    ];
    for (const [bytes, message, hint] of refused)
      await assert.rejects(decodeImage(bytes, { where: "x" }), {
        code: "image",
        message: `x: ${message}`,
        hint,
      });
    const bitmap = fileOf("bmp-24.bmp");
    bitmap.writeUInt32LE(4, 30);
    await assert.rejects(decodeImage(bitmap), {
      code: "image",
      message: /a BMP image of a sort that is not read: its compression is 4/,
    });
    const lab = fileOf("grey-16-low.tif");
    const photometric = lab.indexOf(Buffer.of(0x06, 0x01, 0x03, 0x00));
    lab.writeUInt16LE(8, photometric + 8);
    await assert.rejects(decodeImage(lab), {
      code: "image",
      message: /a TIFF image of a sort that is not read: its colours are in Lab/,
    });
  });

  test("cut short or changed anywhere gives an image or an error of its own kind", async () => {
    const damage = fc.record({
      file: fc.constantFrom(...cases),
      length: fc.double({ min: 0, max: 1, noNaN: true }),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ file, length, changes }) => {
        const bytes = fileOf(file.name);
        for (const [at, value] of changes) bytes[at % Math.min(bytes.length, 200)] = value;
        const cut = length > 0.5 ? bytes : bytes.subarray(0, Math.ceil(bytes.length * 2 * length));
        try {
          const { width, height, data } = await decodeImage(cut, { maxPixels: 1_000_000 });
          assert.equal(data.length, width * height * 3);
        } catch (error) {
          assert.ok(error instanceof LlavaError && error.code === "image", String(error));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of bytes that no decoder knows is an error of its own kind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), (bytes) =>
        assert.rejects(decodeImage(bytes), { name: "LlavaError", code: "image" }),
      ),
    );
  });
});

test("a note is worth an image that looks otherwise, and says how it is seen", () => {
  const found = { where: "a.png", share: 0.5, changed: 0.25 } as const;
  assert.match(
    transparencyNote({ ...found, transparency: "drop" })!,
    /^a\.png: 50 %.*hidden.*25 %.*on white/,
  );
  assert.match(transparencyNote({ ...found, transparency: "white" })!, /sees them on white/);
  assert.equal(transparencyNote({ ...found, changed: 0.005, transparency: "drop" }), undefined);
});

test("a processor's configuration may say what transparent pixels show", () => {
  assert.equal(parseImageProcessorConfig({ transparency: "white" }, "x").transparency, "white");
  assert.equal("transparency" in parseImageProcessorConfig({ transparency: null }, "x"), false);
  assert.throws(() => parseImageProcessorConfig({ transparency: "grey" }, "x"), { code: "config" });
});
