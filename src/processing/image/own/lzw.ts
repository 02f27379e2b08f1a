/**
 * Unpacks GIF's LZW codes (GIF89a, appendix F) to `length` numbers; what an end code leaves open stays 0.
 * @throws Error for codes that are damaged, or end before
 */
export function unpackLzw(codes: Uint8Array, bits: number, length: number): Uint8Array {
  if (bits < 1 || bits > 11) throw new Error(`its codes have ${bits} bits`);
  const [clear, end] = [1 << bits, (1 << bits) + 1];
  const prefix = new Uint16Array(4096);
  const suffix = new Uint8Array(4096);
  const lengths = new Uint16Array(4096).fill(1, 0, clear);
  for (let code = 0; code < clear; code++) suffix[code] = code;
  const out = new Uint8Array(length);
  let [size, next, previous, to] = [bits + 1, end + 1, -1, 0];
  let [held, heldBits] = [0, 0];
  for (let from = 0; to < length; ) {
    while (heldBits < size) {
      if (from >= codes.length) throw new Error("its pixels end early");
      held |= codes[from++]! << heldBits;
      heldBits += 8;
    }
    const code = held & ((1 << size) - 1);
    held >>>= size;
    heldBits -= size;
    if (code === end) break;
    if (code === clear) {
      [size, next, previous] = [bits + 1, end + 1, -1];
      continue;
    }
    if (code > next || (code === next && previous < 0) || (previous < 0 && code > end))
      throw new Error("a code of its pixels is unknown");
    const known = code < next ? code : previous;
    const count = lengths[known]! + (code < next ? 0 : 1);
    let at = to + lengths[known]! - 1;
    let first = known;
    for (let part = known; ; part = prefix[part]!) {
      if (at < length) out[at] = suffix[part]!;
      at--;
      first = suffix[part]!;
      if (lengths[part] === 1) break;
    }
    if (code === next && to + count - 1 < length) out[to + count - 1] = first;
    to += count;
    if (previous >= 0 && next < 4096) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = lengths[previous]! + 1;
      next++;
      if (next === 1 << size && size < 12) size++;
    }
    previous = code;
  }
  return out;
}
