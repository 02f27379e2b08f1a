const textAt = (bytes: Uint8Array, at: number): string =>
  Buffer.from(bytes.subarray(at, at + 4)).toString("latin1");

/** An image sequence under the brand of a still image, whose first frame the library then reads; other files as they are. */
export function withAvifBrand(bytes: Uint8Array): Uint8Array {
  if (textAt(bytes, 4) !== "ftyp" || textAt(bytes, 8) !== "avis") return bytes;
  const copy = new Uint8Array(bytes);
  copy.set(Buffer.from("avif"), 8);
  return copy;
}

/** Boxes that hold others, and the bytes before the first of those. */
const containers: Readonly<Record<string, number>> = { meta: 4, iprp: 0, ipco: 0 };

/** Whether an AVIF file is grey and says that its luma goes from 16 to 235 (ISO 23001-8), which the library keeps so. */
export function isLimitedGrey(bytes: Uint8Array): boolean {
  const codec = findBox(bytes, (kind) => kind === "av1C");
  const isGrey = codec !== undefined && ((bytes[codec + 2] ?? 0) & 0x10) !== 0;
  const colour = findBox(bytes, (kind, at) => kind === "colr" && textAt(bytes, at) === "nclx");
  return isGrey && colour !== undefined && ((bytes[colour + 10] ?? 0x80) & 0x80) === 0;
}

/** Whether an AVIF file has a turn or a mirroring of its own, which the library carries out. */
export const hasOwnTurn = (bytes: Uint8Array): boolean =>
  findBox(bytes, (kind) => kind === "irot" || kind === "imir") !== undefined;

/** Where the content of the first such box begins: those of the image itself stand before those of its alpha. */
function findBox(
  bytes: Uint8Array,
  isSought: (kind: string, content: number) => boolean,
  begin = 0,
  end = bytes.length,
): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = begin; at + 8 <= end; ) {
    const size = view.getUint32(at);
    const kind = textAt(bytes, at + 4);
    if (isSought(kind, at + 8)) return at + 8;
    const skipped = containers[kind];
    const inside =
      skipped === undefined
        ? undefined
        : findBox(bytes, isSought, at + 8 + skipped, Math.min(end, at + size));
    if (inside !== undefined) return inside;
    if (size < 8) return undefined;
    at += size;
  }
  return undefined;
}
