/** Width and height of a JPEG or PNG image by its header; undefined for anything else. */
export function imageSize(
  bytes: Uint8Array,
): { readonly width: number; readonly height: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 24 && view.getUint32(0) === 0x89504e47)
    return { width: view.getUint32(16), height: view.getUint32(20) };
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let place = 2; place + 9 < bytes.length; ) {
    const [mark, kind] = [bytes[place]!, bytes[place + 1]!];
    if (mark !== 0xff) return undefined;
    // Frames are C0 to CF but for tables (C4), extensions (C8) and arithmetic conditions (CC).
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind))
      return { height: view.getUint16(place + 5), width: view.getUint16(place + 7) };
    place += 2 + view.getUint16(place + 2);
  }
  return undefined;
}
