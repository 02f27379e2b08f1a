import { textWidth } from "./text-width.ts";

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Circle {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** Where the middle of a label's line stands, from the middle of its circle, in widths and heights of the label. */
const directions = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [0.75, -0.8],
  [0.75, 0.8],
  [-0.75, -0.8],
  [-0.75, 0.8],
] as const;

/** A place beside each circle for its label, as the middle of the text: where it covers least of circles, labels and the border. */
export function placeLabels(
  circles: readonly Circle[],
  labels: readonly string[],
  size: number,
  border: Box,
): { readonly x: number; readonly y: number }[] {
  const taken: Box[] = circles.map(({ x, y, radius }) => boxAround(x, y, 2 * radius, 2 * radius));
  return circles.map(({ x, y, radius }, index) => {
    const [width, height] = [textWidth(labels[index] ?? "", size), size * 1.2];
    let best = { x, y, covered: Infinity };
    for (const away of [4, 14])
      for (const [right, down] of directions) {
        const middleX = x + right * (radius + away + width / 2);
        const middleY = y + down * (radius + away + height / 2);
        const box = boxAround(middleX, middleY, width, height);
        const outside = width * height - overlap(box, border);
        const covered = taken.reduce((sum, other) => sum + overlap(box, other), 3 * outside);
        if (covered < best.covered - 1e-6) best = { x: middleX, y: middleY, covered };
      }
    taken.push(boxAround(best.x, best.y, width, height));
    return { x: best.x, y: best.y };
  });
}

const boxAround = (x: number, y: number, width: number, height: number): Box => ({
  left: x - width / 2,
  top: y - height / 2,
  right: x + width / 2,
  bottom: y + height / 2,
});

/** Common area. */
function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.max(0, width) * Math.max(0, height);
}
