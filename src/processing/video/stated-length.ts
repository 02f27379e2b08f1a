import type { FileHandle } from "node:fs/promises";

/** Parts of an MP4 or QuickTime file that stand beside one another. What else is found behind them does not count. */
const BOXES = new Set([
  "ftyp",
  "moov",
  "mdat",
  "moof",
  "mfra",
  "free",
  "skip",
  "wide",
  "uuid",
  "sidx",
  "styp",
  "meta",
]);
const MOST_BOXES = 100_000;

/**
 * How long a container says that it is, as far as its outermost parts tell; undefined where they do not. A shorter file is cut
 * off: decoders only log that, or say nothing.
 * @param file MP4 and QuickTime (ISO 14496-12 4.2), Matroska and WebM (RFC 9559 5.1), AVI (a RIFF file)
 */
export async function statedLength(file: FileHandle): Promise<number | undefined> {
  const at = async (position: number, length: number) => {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
  const head = await at(0, 64);
  if (head.length < 16) return undefined;
  if (head.readUInt32BE(0) === 0x1a45dfa3) return matroskaLength(head);
  if (head.toString("latin1", 0, 4) === "RIFF") {
    const size = head.readUInt32LE(4);
    // Who could not go back to write the size left one of these.
    return size === 0 || size === 0xffffffff ? undefined : 8 + size;
  }
  return await boxesLength(at);
}

async function boxesLength(
  at: (position: number, length: number) => Promise<Buffer>,
): Promise<number | undefined> {
  let end = 0;
  for (let count = 0; count < MOST_BOXES; count++) {
    const head = await at(end, 16);
    if (head.length < 8 || !BOXES.has(head.toString("latin1", 4, 8))) break;
    const short = head.readUInt32BE(0);
    if (short === 0) return undefined; // to the end of the file
    const size = short === 1 ? (head.length < 16 ? 16 : Number(head.readBigUInt64BE(8))) : short;
    if (size < 8) break;
    end += size;
  }
  return end || undefined;
}

/** The head and the one segment behind it. */
function matroskaLength(head: Buffer): number | undefined {
  const ebml = sizeAt(head, 4);
  if (ebml?.size === undefined) return undefined;
  const segment = ebml.end + ebml.size;
  if (segment + 12 > head.length || head.readUInt32BE(segment) !== 0x18538067) return undefined;
  const { size, end } = sizeAt(head, segment + 4)!;
  return size === undefined ? undefined : end + size;
}

/** A number of EBML (RFC 8794 4.1): as many bytes as its first has leading zeros, and one more; all ones are unknown. */
function sizeAt(bytes: Buffer, start: number): { size: number | undefined; end: number } | undefined {
  const first = bytes[start]!;
  const length = Math.clz32(first) - 23;
  if (first === 0 || start + length > bytes.length) return undefined;
  let size = BigInt(first) & ((1n << BigInt(8 - length)) - 1n);
  for (const byte of bytes.subarray(start + 1, start + length)) size = (size << 8n) | BigInt(byte);
  const isUnknown = size === (1n << BigInt(7 * length)) - 1n;
  return { size: isUnknown ? undefined : Number(size), end: start + length };
}
