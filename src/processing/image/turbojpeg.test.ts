import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import sharp from "sharp";
import { decodeImage, openEncoded } from "./decode.ts";
import { readJpegHeader } from "./jpeg-header.ts";
import { decodeJpeg } from "./turbojpeg.ts";

const [width, height] = [75, 53];

/** Smooth areas, edges and noise. */
function pixels(seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 60 + x + (i % 3) * y + ((x >> 3) % 3 === (y >> 4) % 3 ? 40 : 0) + (state >>> 28);
  });
}

const picture = (seed = 1) => sharp(pixels(seed), { raw: { width, height, channels: 3 } });
const decode = async (jpeg: Buffer) => decodeJpeg(jpeg, readJpegHeader(jpeg)!);
const bySharp = async (jpeg: Buffer) =>
  new Uint8Array(await sharp(jpeg).autoOrient().toColourspace("srgb").raw().toBuffer());
const hasLibrary = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

describe("decodeJpeg", { skip: !hasLibrary && "no prebuilt library" }, () => {
  const kinds = {
    "4:2:0": { quality: 90 },
    "4:4:4": { quality: 95, chromaSubsampling: "4:4:4" },
    "of low quality": { quality: 12 },
    progressive: { quality: 85, progressive: true },
    "with tables of its own": { quality: 80, optimiseCoding: true, trellisQuantisation: true },
  };
  for (const [kind, options] of Object.entries(kinds)) {
    test(`${kind}: sharp's pixels`, async () => {
      const jpeg = await picture().jpeg(options).toBuffer();
      assert.deepEqual(await decode(jpeg), await bySharp(jpeg));
    });
  }

  test("grey becomes three equal channels", async () => {
    const jpeg = await picture().toColourspace("b-w").jpeg().toBuffer();
    assert.equal(readJpegHeader(jpeg)!.components, 1);
    assert.deepEqual(await decode(jpeg), await bySharp(jpeg));
  });

  test("hundreds at a time, each to its own pixels", async () => {
    const jpegs = await Promise.all([1, 2, 3].map((seed) => picture(seed).jpeg().toBuffer()));
    const expected = await Promise.all(jpegs.map(bySharp));
    const decoded = await Promise.all(Array.from({ length: 600 }, (_, i) => decode(jpegs[i % 3]!)));
    for (const [i, each] of decoded.entries()) assert.deepEqual(each, expected[i % 3]);
  });

  test("a worker thread decodes too", async () => {
    const jpeg = await picture().jpeg().toBuffer();
    const here = new URL(".", import.meta.url);
    const script = `
      const { parentPort, workerData } = await import("node:worker_threads");
      const { decodeJpeg } = await import(${JSON.stringify(new URL("turbojpeg.ts", here).href)});
      const { readJpegHeader } = await import(${JSON.stringify(new URL("jpeg-header.ts", here).href)});
      parentPort.postMessage(await decodeJpeg(workerData, readJpegHeader(workerData)));`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
      workerData: new Uint8Array(jpeg),
    });
    const decoded = await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
    await worker.terminate();
    assert.deepEqual(decoded, await bySharp(jpeg));
  });

  test("damage is left to sharp to judge", async () => {
    const jpeg = await picture().jpeg().toBuffer();
    const header = readJpegHeader(jpeg)!;
    assert.equal(await decodeJpeg(jpeg.subarray(0, jpeg.length >> 1), header), undefined);
    assert.equal(await decodeJpeg(jpeg, { ...header, height: height + 1 }), undefined);
  });
});

test("a file of more scans than any camera writes is refused", async () => {
  await assert.rejects(decodeImage(manyScans(), { where: "scans.jpg" }), {
    code: "image",
    message: "scans.jpg: its pixels come in 190 scans, the limit is 100",
  });
});

describe("orientation", () => {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`${orientation} is sharp's`, async () => {
      const jpeg = await picture().withMetadata({ orientation }).jpeg().toBuffer();
      assert.equal(readJpegHeader(jpeg)!.isUpright, orientation === 1);
      const image = await decodeImage(jpeg);
      assert.equal(image.width, orientation < 5 ? width : height);
      const { size } = await openEncoded(jpeg);
      assert.deepEqual([size.width, size.height], [image.width, image.height]);
      assert.deepEqual(image.data, await bySharp(jpeg));
    });
  }

  test("EXIF data without one, in either byte order, is upright; unreadable data may not be", async () => {
    const jpeg = await picture().jpeg().toBuffer();
    const withExif = (tiff: readonly number[]) => {
      const content = [...Buffer.from("Exif\0\0"), ...tiff];
      const segment = Buffer.from([0xff, 0xe1, 0, content.length + 2, ...content]);
      return readJpegHeader(Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]))!.isUpright;
    };
    const other = {
      little: [0x0f, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0],
      big: [1, 0x0f, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0],
    };
    const turned = {
      little: [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0],
      big: [1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0],
    };
    const little = [0x49, 0x49, 0x2a, 0, 8, 0, 0, 0];
    const big = [0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8];
    assert.equal(withExif([...little, 0, 0]), true);
    assert.equal(withExif([...little, 1, 0, ...other.little]), true);
    assert.equal(withExif([...big, 0, 1, ...other.big]), true);
    assert.equal(withExif([...little, 2, 0, ...other.little, ...turned.little]), false);
    assert.equal(withExif([...big, 0, 2, ...other.big, ...turned.big]), false);
    assert.equal(withExif([]), false);
    assert.equal(withExif([...little.slice(0, 4), 0xff, 0xff, 0xff, 0x7f]), false);
    assert.equal(withExif([...little, 9, 0, ...other.little]), false);
  });
});

/** 8×8 grey-blue pixels in 190 valid progressive scans, one for each coefficient of each channel. */
function manyScans(): Buffer {
  const segment = (marker: number, ...content: number[]) => [0xff, marker, 0, content.length + 2, ...content];
  /** One code, "0", for the symbol zero. */
  const table = (kind: number) => segment(0xc4, kind, 1, ...new Array(15).fill(0), 0);
  const channels = [1, 2, 3];
  return Buffer.from([
    ...[0xff, 0xd8],
    ...segment(0xdb, 0, ...new Array(64).fill(1)),
    ...segment(0xc2, 8, 0, 8, 0, 8, 3, ...channels.flatMap((channel) => [channel, 0x11, 0])),
    ...table(0x00),
    ...table(0x10),
    ...[...segment(0xda, 3, ...channels.flatMap((channel) => [channel, 0]), 0, 0, 0), 0b00011111],
    ...channels.flatMap((channel) =>
      Array.from({ length: 63 }, (_, i) => [
        ...segment(0xda, 1, channel, 0, i + 1, i + 1, 0),
        0b01111111,
      ]).flat(),
    ),
    ...[0xff, 0xd9],
  ]);
}
