import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import sharp, { type Sharp } from "sharp";
import { drawPhotos } from "../../../test/support/planted-pool.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { decodeImage } from "../../processing/image/index.ts";
import { LikenessIndex, pictureOf, signatureOf } from "./index.ts";

const folder = temporaryFolder("likeness");
let paths: readonly string[] = [];
let pictures: readonly Uint8Array[] = [];
before(async () => {
  paths = (await drawPhotos(folder, 24)).map(({ image }) => image);
  pictures = await Promise.all(paths.map(async (path) => pictureOf(await decodeImage(path))));
});

describe("copies of images", () => {
  const changes: Record<string, (photo: Sharp, width: number, height: number) => Sharp> = {
    "half the size": (photo, width) => photo.resize({ width: Math.round(width / 2) }),
    "saved at quality 30": (photo) => photo.jpeg({ quality: 30 }),
    lighter: (photo) => photo.modulate({ brightness: 1.15 }),
    "cut by a tenth at each side": (photo, width, height) =>
      photo.extract({
        ...{ left: Math.round(width / 10), top: Math.round(height / 10) },
        ...{ width: Math.round(0.8 * width), height: Math.round(0.8 * height) },
      }),
    "cut at one side": (photo, width, height) =>
      photo.extract({ left: 0, top: 0, width: Math.round(0.8 * width), height }),
    mirrored: (photo) => photo.flop(),
    "padded to a square": (photo, width, height) => {
      const [across, down] = [Math.max(0, height - width), Math.max(0, width - height)].map((space) =>
        Math.floor(space / 2),
      );
      return photo.extend({ left: across!, right: across!, top: down!, bottom: down!, background: "white" });
    },
  };
  for (const [name, change] of Object.entries(changes))
    test(`are found ${name}, and nothing else is`, async () => {
      using index = new LikenessIndex(pictures.map(signatureOf), (place) => pictures[place]!);
      const copies = [];
      for (const path of paths.slice(0, 12)) {
        const { width, height } = await sharp(path).metadata();
        copies.push(pictureOf(await decodeImage(await change(sharp(path), width, height).toBuffer())));
      }
      const found = index.among(copies);
      assert.deepEqual(
        found.map((pair) => [pair.of, pair.with]).sort(([a = 0], [b = 0]) => a - b),
        copies.map((_, place) => [place, place]),
      );
      assert.ok(found.every(({ isMirrored }) => isMirrored === (name === "mirrored")));
      assert.deepEqual(index.within(), []);
    });
});
