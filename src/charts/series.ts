export type Point = readonly [x: number, y: number];

/** Moving average in which the newest value counts 1 − weight, without the pull towards 0 at the start. */
export function smoothed(points: readonly Point[], weight: number): Point[] {
  let [sum, share] = [0, 0];
  return points.map(([x, y]) => {
    if (!Number.isFinite(y)) return [x, y];
    sum = weight * sum + (1 - weight) * y;
    share = weight * share + (1 - weight);
    return [x, sum / share];
  });
}

/** Of the points in one column of pixels, those that can be seen: first, lowest, highest, last. */
export function thinned(pixels: readonly Point[]): Point[] {
  const kept: Point[] = [];
  for (let start = 0; start < pixels.length; ) {
    const column = Math.floor(pixels[start]![0]);
    let [end, low, high] = [start, start, start];
    for (; end < pixels.length && Math.floor(pixels[end]![0]) === column; end++) {
      if (!Number.isFinite(pixels[end]![1])) break;
      if (pixels[end]![1] < pixels[low]![1]) low = end;
      if (pixels[end]![1] > pixels[high]![1]) high = end;
    }
    end = Math.max(end, start + 1);
    const seen = [...new Set([start, low, high, end - 1])].sort((a, b) => a - b);
    kept.push(...seen.map((index) => pixels[index]!));
    start = end;
  }
  return kept;
}
