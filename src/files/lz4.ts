/**
 * Unpacks an LZ4 block, the codec LZ4_RAW of parquet (lz4_Block_format.md of lz4/lz4).
 * @param length bytes that it unpacks to
 * @throws Error for a block that is damaged
 */
export function unpackLz4(block: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let [from, to] = [0, 0];
  const extended = (count: number): number => {
    let total = count;
    for (let more = count === 15 ? 255 : 0; more === 255; total += more) {
      if (from >= block.length) throw new Error("an LZ4 block ends within a length");
      more = block[from++]!;
    }
    return total;
  };
  while (from < block.length) {
    const token = block[from++]!;
    const literals = extended(token >> 4);
    if (from + literals > block.length || to + literals > length)
      throw new Error("an LZ4 block holds more than it says");
    out.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from >= block.length) break; // the last sequence has no match
    const offset = block[from]! + block[from + 1]! * 256;
    from += 2;
    const match = extended(token & 15) + 4;
    if (!(offset > 0 && offset <= to) || to + match > length)
      throw new Error("an LZ4 block refers to bytes it does not have");
    for (const end = to + match; to < end; to++) out[to] = out[to - offset]!;
  }
  if (to !== length) throw new Error(`an LZ4 block holds ${to} bytes, expected ${length}`);
  return out;
}

/** Parquet's older codec LZ4: blocks framed as Hadoop does, each after its two lengths; or a bare block, as some wrote it. */
export function unpackHadoopLz4(bytes: Uint8Array, length: number): Uint8Array {
  try {
    return unpackFrames(bytes, length);
  } catch {
    return unpackLz4(bytes, length);
  }
}

function unpackFrames(bytes: Uint8Array, length: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Uint8Array(length);
  let to = 0;
  for (let from = 0; from < bytes.length; ) {
    const [unpacked, packed] = [view.getUint32(from), view.getUint32(from + 4)];
    out.set(unpackLz4(bytes.subarray(from + 8, from + 8 + packed), unpacked), to);
    to += unpacked;
    from += 8 + packed;
  }
  if (to !== length) throw new Error("the frames hold another number of bytes");
  return out;
}
