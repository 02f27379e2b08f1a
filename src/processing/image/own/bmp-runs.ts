const [END_OF_LINE, END, DELTA] = [0, 1, 2];

/**
 * Unpacks runs of 8 or 4 bits (BI_RLE8, BI_RLE4) as Pillow does: what a line, a delta or the end leaves open is colour 0.
 * @throws Error where the runs end before the bitmap
 */
export function unpackRuns(
  runs: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
  isNibbles: boolean,
): Uint8Array {
  const out = new Uint8Array(width * height);
  let [from, to, column] = [0, 0, 0];
  const put = (colour: number): void => {
    if (to < out.length) out[to++] = colour;
  };
  const nibble = (byte: number, index: number): number => (index % 2 === 0 ? byte >> 4 : byte & 15);
  while (to < out.length) {
    const [count, value] = [runs[from], runs[from + 1]];
    if (count === undefined || value === undefined) throw new Error("its pixels end early");
    from += 2;
    if (count > 0) {
      const fitting = Math.min(count, Math.max(0, width - column));
      for (let index = 0; index < fitting; index++) put(isNibbles ? nibble(value, index) : value);
      column += fitting;
    } else if (value === END_OF_LINE) {
      to = Math.ceil(to / width) * width;
      column = 0;
    } else if (value === END) break;
    else if (value === DELTA) {
      to = Math.min(out.length, to + (runs[from] ?? 0) + (runs[from + 1] ?? 0) * width);
      from += 2;
      column = to % width;
    } else {
      const length = isNibbles ? Math.ceil(value / 2) : value;
      if (from + length > runs.length) throw new Error("its pixels end early");
      for (let index = 0; index < value; index++)
        put(isNibbles ? nibble(runs[from + (index >> 1)]!, index) : runs[from + index]!);
      column += value;
      from += length + (length % 2); // runs begin at even places
    }
  }
  if (to < out.length) throw new Error("its pixels end early");
  return out;
}
