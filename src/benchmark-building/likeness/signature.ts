import type { Rectangle } from "../../processing/image/index.ts";
import { Described } from "./descriptor.ts";
import { type Hash, perceptualHash } from "./perceptual-hash.ts";
import { greyOf, mirrored, pictureSide } from "./picture.ts";

/** What tells an image from others, and finds it again after it was scaled, saved anew, cut or mirrored. */
export interface Signature {
  readonly hash: Hash;
  readonly mirroredHash: Hash;
  readonly descriptor: Float32Array;
  readonly mirroredDescriptor: Float32Array;
  /** Of the parts that a cut copy would show, one after another. */
  readonly parts: readonly Float32Array[];
  /** Whether it has hardly any contrast, so that its hash tells nothing. */
  readonly isFlat: boolean;
}

/** In the middle, in the corners and at the sides: a cut that lies between them is still like one of them. */
export const partsOfPicture: readonly Rectangle[] = [
  [0.05, 0.05, 0.9, 0.9],
  [0.1, 0.1, 0.8, 0.8],
  [0.15, 0.15, 0.7, 0.7],
  ...[0, 0.2].flatMap((left) => [0, 0.2].map((top) => [left, top, 0.8, 0.8])),
  ...[0, 0.2].flatMap((start) => [
    [start, 0, 0.8, 1],
    [0, start, 1, 0.8],
  ]),
].map((sides) => {
  const [left = 0, top = 0, width = 0, height = 0] = sides.map((side) => Math.round(side * pictureSide));
  return { left, top, width, height };
});

/** @param picture 64×64 RGB, as `pictureOf` gives it */
export function signatureOf(picture: Uint8Array): Signature {
  const grey = greyOf(picture);
  const turned = mirrored(picture);
  const turnedGrey = greyOf(turned);
  const described = new Described(picture, grey);
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const variance = grey.reduce((sum, value) => sum + (value - mean) ** 2, 0) / grey.length;
  return {
    hash: perceptualHash(grey),
    mirroredHash: perceptualHash(turnedGrey),
    descriptor: described.descriptor(),
    mirroredDescriptor: new Described(turned, turnedGrey).descriptor(),
    parts: partsOfPicture.map((part) => described.descriptor(part)),
    isFlat: variance < 25,
  };
}
