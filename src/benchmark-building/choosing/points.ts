import type { Points } from "./weighted-k-means.ts";

/**
 * Images and texts as points of one space: [√α·image; √(1−α)·text] of vectors of length 1, so that neither counts more because its
 * numbers are larger.
 */
export function joined(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  imageShare: number,
): Points {
  const [imageWidth, textWidth] = [images[0]!.length, texts[0]!.length];
  const width = imageWidth + textWidth;
  const values = new Float32Array(images.length * width);
  for (const [place, image] of images.entries()) {
    values.set(
      image.map((value) => Math.sqrt(imageShare) * value),
      place * width,
    );
    values.set(
      texts[place]!.map((value) => Math.sqrt(1 - imageShare) * value),
      place * width + imageWidth,
    );
  }
  return { values, count: images.length, width };
}

/** The points at some places. */
export function pointsAt({ values, width }: Points, places: readonly number[]): Points {
  const some = new Float32Array(places.length * width);
  for (const [at, place] of places.entries())
    some.set(values.subarray(place * width, (place + 1) * width), at * width);
  return { values: some, count: places.length, width };
}
