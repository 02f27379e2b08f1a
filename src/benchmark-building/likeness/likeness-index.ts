import { fromTyped, scope, stack, type Tensor } from "../../torch/index.ts";
import { descriptorWidth } from "./descriptor.ts";
import { hashDistance } from "./perceptual-hash.ts";
import { greyOf, mirrored } from "./picture.ts";
import { alignedLikeness } from "./registration.ts";
import { partsOfPicture, type Signature, signatureOf } from "./signature.ts";

/** Where two images begin to count as one. */
export interface LikenessLimits {
  /** Bits of 64 in which perceptual hashes may differ: 10 found no wrong pair among 1.4 million of photos. */
  readonly hashBits: number;
  /** The least cosine of descriptors that makes a pair worth a closer look. */
  readonly descriptors: number;
  /** The least correlation of one picture with a part of the other, for a pair to be one. */
  readonly correlation: number;
}

export const usualLimits: LikenessLimits = { hashBits: 10, descriptors: 0.94, correlation: 0.85 };

/** Two images that show one and the same, whole or in part. */
export interface Alike {
  /** Places in the index, and among those that were asked about. */
  readonly of: number;
  readonly with: number;
  /** Correlation of the two where they lie over each other best. */
  readonly correlation: number;
  readonly isMirrored: boolean;
}

/** Images that are compared with the whole index at once. */
const blockSize = 256;

/** Finds copies of images among others: scaled, saved anew, lighter or darker, padded, cut and mirrored ones. */
export class LikenessIndex implements Disposable {
  readonly #signatures: readonly Signature[];
  readonly #pictureAt: (place: number) => Uint8Array;
  readonly #limits: LikenessLimits;
  /** Descriptors of images [N, D], of their mirror images [N, D], and of images and parts [N·(1 + parts), D]. */
  readonly #whole: Tensor;
  readonly #mirrored: Tensor;
  readonly #all: Tensor;

  /** @param pictureAt a picture of the index, by its place: they may lie on the disk */
  constructor(
    signatures: readonly Signature[],
    pictureAt: (place: number) => Uint8Array,
    limits: LikenessLimits = usualLimits,
  ) {
    this.#signatures = signatures;
    this.#pictureAt = pictureAt;
    this.#limits = limits;
    this.#whole = rowsOf(signatures.map(({ descriptor }) => descriptor));
    this.#mirrored = rowsOf(signatures.map(({ mirroredDescriptor }) => mirroredDescriptor));
    this.#all = rowsOf(signatures.flatMap(({ descriptor, parts }) => [descriptor, ...parts]));
  }

  /** All that are like one of `pictures`, each pair once. */
  among(pictures: readonly Uint8Array[]): Alike[] {
    return this.#near(pictures.map(signatureOf), (place) => pictures[place]!, true);
  }

  /** Pairs inside the index: `of` comes before `with`. */
  within(): Alike[] {
    const found = new Map<string, Alike>();
    for (let start = 0; start < this.#signatures.length; start += blockSize) {
      const block = this.#signatures.slice(start, start + blockSize);
      // Whether one shows a part of the other is asked of both, so that once is enough here.
      for (const pair of this.#near(block, (place) => this.#pictureAt(start + place), false, start)) {
        const [of, other] = [pair.of, start + pair.with].sort((a, b) => a - b) as [number, number];
        found.set(`${of} ${other}`, { ...pair, of, with: other });
      }
    }
    return [...found.values()].sort((a, b) => a.of - b.of || a.with - b.with);
  }

  #near(
    others: readonly Signature[],
    pictureOf: (place: number) => Uint8Array,
    isBothWays: boolean,
    start?: number,
  ): Alike[] {
    if (this.#signatures.length === 0 || others.length === 0) return [];
    const [plain, mirror] = this.#cosines(others, isBothWays);
    const found: Alike[] = [];
    const count = this.#signatures.length;
    for (let place = 0; place < others.length; place++)
      for (let of = 0; of < count; of++) {
        if (start !== undefined && of === start + place) continue;
        const [own, other, at] = [this.#signatures[of]!, others[place]!, place * count + of];
        const isNear = plain[at]! >= this.#limits.descriptors || this.#isNearHash(own, own.hash, other);
        const isNearMirrored =
          mirror[at]! >= this.#limits.descriptors || this.#isNearHash(own, own.mirroredHash, other);
        if (!isNear && !isNearMirrored) continue;
        const pair = this.#confirmed(of, pictureOf(place), isNear, isNearMirrored);
        if (pair !== undefined) found.push({ of, with: place, ...pair });
      }
    return found;
  }

  #isNearHash({ isFlat }: Signature, hash: Signature["hash"], other: Signature): boolean {
    return !isFlat && !other.isFlat && hashDistance(hash, other.hash) <= this.#limits.hashBits;
  }

  #confirmed(of: number, picture: Uint8Array, isNear: boolean, isNearMirrored: boolean) {
    const own = greyOf(this.#pictureAt(of));
    for (const isMirrored of [...(isNear ? [false] : []), ...(isNearMirrored ? [true] : [])]) {
      const correlation = alignedLikeness(own, greyOf(isMirrored ? mirrored(picture) : picture));
      if (correlation >= this.#limits.correlation) return { correlation, isMirrored };
    }
    return undefined;
  }

  /** The largest cosines of whole or part with whole or part, as they are and mirrored: [others · N] each. */
  #cosines(others: readonly Signature[], isBothWays: boolean): readonly [Float32Array, Float32Array] {
    const count = this.#signatures.length;
    const perImage = partsOfPicture.length + 1;
    return scope(() => {
      const whole = rowsOf(others.map(({ descriptor }) => descriptor));
      const turned = rowsOf(others.map(({ mirroredDescriptor }) => mirroredDescriptor));
      const parts = isBothWays ? rowsOf(others.flatMap((one) => one.parts)) : undefined;
      const most = (asked: Tensor, cut: Tensor): Float32Array => {
        const inParts = asked.matmul(this.#all.transpose(0, 1)).view([others.length, count, perImage]);
        const largest = [inParts.amax([2])];
        if (parts !== undefined) {
          const ofParts = parts.matmul(cut.transpose(0, 1)).view([others.length, perImage - 1, count]);
          largest.push(ofParts.amax([1]));
        }
        return new Float32Array(new Uint8Array(stack(largest).amax([0]).toBytes()).buffer);
      };
      return [most(whole, this.#whole), most(turned, this.#mirrored)] as const;
    });
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.#whole, this.#mirrored, this.#all]) tensor.dispose();
  }
}

/** [rows, D] */
function rowsOf(descriptors: readonly Float32Array[]): Tensor {
  const values = new Float32Array(descriptors.length * descriptorWidth);
  for (const [row, descriptor] of descriptors.entries()) values.set(descriptor, row * descriptorWidth);
  return fromTyped(values, { dtype: "float32", shape: [descriptors.length, descriptorWidth] });
}
