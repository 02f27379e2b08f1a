/** Tags of a TIFF file's first directory, and of EXIF data, which are one. */
export const tags = {
  bits: 258,
  compression: 259,
  photometric: 262,
  orientation: 274,
  samples: 277,
  sampleFormat: 339,
  subsampling: 530,
  place: 34853,
} as const;

const sizes: Readonly<Record<number, 1 | 2 | 4>> = { 1: 1, 3: 2, 4: 4 };

/** Where a directory's entry keeps its numbers. */
interface Entry {
  readonly values: readonly number[];
  /** In bytes from the begin, where the numbers stand in the entry itself. */
  readonly at: number;
  readonly isLittle: boolean;
}

/**
 * The whole numbers in the first directory of TIFF data (TIFF 6.0, section 2), by tag; undefined for data that are none, or
 * whose directory is damaged.
 */
export function readDirectory(bytes: Uint8Array): ReadonlyMap<number, Entry> | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const isLittle = view.getUint16(0) === 0x4949; // "II", else "MM"
    if (view.getUint16(2, isLittle) !== 42) return undefined;
    const begin = view.getUint32(4, isLittle);
    const found = new Map<number, Entry>();
    for (let index = 0; index < view.getUint16(begin, isLittle); index++) {
      const entry = begin + 2 + index * 12;
      const size = sizes[view.getUint16(entry + 2, isLittle)];
      const count = view.getUint32(entry + 4, isLittle);
      if (size === undefined || count > 64) continue;
      const at = size * count <= 4 ? entry + 8 : view.getUint32(entry + 8, isLittle);
      const read = { 1: "getUint8", 2: "getUint16", 4: "getUint32" } as const;
      const values = Array.from({ length: count }, (_, i) => view[read[size]](at + i * size, isLittle));
      found.set(view.getUint16(entry, isLittle), { values, at, isLittle });
    }
    return found;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
