/** Corners [left, top, right, bottom]. */
export type Box = readonly [number, number, number, number];

const number = "\\s*(-?(?:\\d+(?:\\.\\d*)?|\\.\\d+))\\s*";
const pattern = new RegExp(`\\[${[number, number, number, number].join(",")}\\]`);

/** The first box that an answer holds as "[0.12, 0.3, 0.5, 0.94]"; undefined where it holds none. */
export function readBox(answer: string): Box | undefined {
  const found = pattern.exec(answer);
  return found === null
    ? undefined
    : [Number(found[1]), Number(found[2]), Number(found[3]), Number(found[4])];
}

/** Area that two boxes share over the area that they cover. */
export function overlap(first: Box, second: Box): number {
  const shared = area([
    Math.max(first[0], second[0]),
    Math.max(first[1], second[1]),
    Math.min(first[2], second[2]),
    Math.min(first[3], second[3]),
  ]);
  const covered = area(first) + area(second) - shared;
  return covered === 0 ? 0 : shared / covered;
}

const area = ([left, top, right, bottom]: Box): number =>
  Math.max(0, right - left) * Math.max(0, bottom - top);

/** Whether the middle of the second box is in the first. */
export function holdsCentre([left, top, right, bottom]: Box, other: Box): boolean {
  const [x, y] = [(other[0] + other[2]) / 2, (other[1] + other[3]) / 2];
  return left <= x && x <= right && top <= y && y <= bottom;
}

/**
 * A box in pixels as LLaVA-1.5 was trained to give it: in 0…1 of the square that the image is padded to, with the image in
 * its middle. (Of 192 rows of its training data with five boxes or more, none touches both the sides and the top or bottom.)
 */
export function inPaddedSquare(box: Box, width: number, height: number): Box {
  const side = Math.max(width, height);
  const [left, top] = [(side - width) / 2, (side - height) / 2];
  return [(box[0] + left) / side, (box[1] + top) / side, (box[2] + left) / side, (box[3] + top) / side];
}

/** In 0…1 of the image's own sides. */
export const inImage = (box: Box, width: number, height: number): Box => [
  box[0] / width,
  box[1] / height,
  box[2] / width,
  box[3] / height,
];
