const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;

/**
 * A copy of a GIF whose first frame is opaque: its transparent pixels show the palette's colour, which
 * decoders otherwise blank out. Damage is left for the decoder to report.
 */
export function withoutTransparency(bytes: Uint8Array): Uint8Array {
  const flags = bytes[10] ?? 0;
  let at = 13 + (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  while (bytes[at] === EXTENSION) {
    if (bytes[at + 1] === GRAPHIC_CONTROL && at + 3 < bytes.length) {
      const copy = bytes.slice();
      copy[at + 3]! &= ~1;
      return copy;
    }
    for (at += 2; (bytes[at] ?? 0) > 0; ) at += bytes[at]! + 1;
    at += 1;
  }
  return bytes;
}
