const [QUOTE, BACKSLASH, COMMA, BRACE, BRACKET] = [0x22, 0x5c, 0x2c, 0x7b, 0x5b];
const CLOSES = new Set([0x7d, 0x5d]);

/** How much a JSON text would come to: values, and levels of lists and objects. */
export interface JsonShape {
  readonly nodes: number;
  readonly depth: number;
}

/** Counts without parsing, so that what is too much is never built; of what is no JSON the numbers mean nothing. */
export function jsonShape(bytes: Buffer): JsonShape {
  let [nodes, depth, deepest] = [1, 0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === COMMA) nodes++;
    else if (byte === BRACE || byte === BRACKET) {
      nodes++;
      deepest = Math.max(deepest, ++depth);
    } else if (CLOSES.has(byte)) depth--;
  }
  return { nodes, depth: deepest };
}

/** Where the string that opens at `start` closes. */
function endOfString(bytes: Buffer, start: number): number {
  for (let at = bytes.indexOf(QUOTE, start + 1); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let backslashes = 0;
    while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return bytes.length;
}
