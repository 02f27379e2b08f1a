/** The smallest of the values taken, and the weight of all values above it. */
export interface Selection {
  readonly threshold: number;
  readonly above: number;
}

/**
 * Takes values from the largest down until their weights reach `target`, and says where that was: by quickselect on the
 * weights, in linear time and without sorting. With weights of 1 the threshold is the target-th largest value.
 * @param ids which elements of `row` take part, at least one
 * @param weights of the elements of `row`; 1 each if left out
 */
export function selectTop(
  row: Float32Array,
  ids: Uint32Array,
  target: number,
  weights?: Float64Array,
): Selection {
  const order = ids.slice();
  let start = 0;
  let end = order.length;
  let above = 0;
  while (true) {
    const pivot = medianOfThree(row, order, start, end);
    let larger = start; // order[start, larger) are above the pivot,
    let smaller = end; // order[smaller, end) below it
    let weightOfLarger = 0;
    let weightOfEqual = 0;
    for (let at = start; at < smaller; ) {
      const id = order[at]!;
      const value = row[id]!;
      if (value < pivot) {
        order[at] = order[--smaller]!;
        order[smaller] = id;
        continue;
      }
      const weight = weights === undefined ? 1 : weights[id]!;
      if (value > pivot) {
        weightOfLarger += weight;
        order[at] = order[larger]!;
        order[larger++] = id;
      } else weightOfEqual += weight;
      at++;
    }
    if (larger > start && above + weightOfLarger >= target) {
      end = larger;
    } else if (smaller < end && above + weightOfLarger + weightOfEqual < target) {
      above += weightOfLarger + weightOfEqual;
      start = smaller;
    } else {
      return { threshold: pivot, above: above + weightOfLarger };
    }
  }
}

function medianOfThree(row: Float32Array, order: Uint32Array, start: number, end: number): number {
  const first = row[order[start]!]!;
  const middle = row[order[(start + end) >> 1]!]!;
  const last = row[order[end - 1]!]!;
  return Math.max(Math.min(first, middle), Math.min(Math.max(first, middle), last));
}
