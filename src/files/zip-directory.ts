import { LlavaError } from "../errors.ts";

/** A file inside a zip archive. */
export interface ZipMember {
  readonly name: string;
  readonly method: number;
  /** Position of its first byte in the archive. */
  readonly offset: number;
  readonly compressedBytes: number;
  readonly bytes: number;
}

/** Random access to the archive's bytes. */
export interface ByteRange {
  readonly byteLength: number;
  bytes(start: number, end: number): Uint8Array;
}

export const STORED = 0;
export const DEFLATED = 8;

// Signatures and lengths of PKWARE's APPNOTE 4.3.
const END = 0x06054b50;
const END_BYTES = 22;
const END_64_LOCATOR = 0x07064b50;
const END_64_LOCATOR_BYTES = 20;
const END_64 = 0x06064b50;
const END_64_BYTES = 56;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;
const IN_ZIP_64 = 0xffffffff;

/** The directory of a zip archive, with the 64-bit extension. @throws LlavaError "checkpoint" where it is damaged */
export function readZipDirectory(file: ByteRange, where: string): ZipMember[] {
  const damaged = (what: string) =>
    new LlavaError("checkpoint", `${where}: damaged zip archive: ${what}`, {
      hint: "Download the file again.",
    });
  const view = (start: number, length: number, what: string): Buffer => {
    if (!(start >= 0 && start + length <= file.byteLength)) {
      throw damaged(`${what} at byte ${start} lies outside the file of ${file.byteLength}`);
    }
    const bytes = file.bytes(start, start + length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

  const tailLength = Math.min(file.byteLength, END_BYTES + MAX_COMMENT);
  const tailStart = file.byteLength - tailLength;
  const tail = view(tailStart, tailLength, "the end record");
  let at = tailLength - END_BYTES;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
  if (at < 0) throw damaged("it has no directory; the file is cut short");

  let size = tail.readUInt32LE(at + 12);
  let start = tail.readUInt32LE(at + 16);
  const locatorAt = at - END_64_LOCATOR_BYTES;
  if (locatorAt >= 0 && tail.readUInt32LE(locatorAt) === END_64_LOCATOR) {
    const end = view(Number(tail.readBigUInt64LE(locatorAt + 8)), END_64_BYTES, "the 64-bit end record");
    if (end.readUInt32LE(0) !== END_64) throw damaged("its 64-bit end record is missing");
    size = Number(end.readBigUInt64LE(40));
    start = Number(end.readBigUInt64LE(48));
  }

  const directory = view(start, size, "the directory");
  const members: ZipMember[] = [];
  for (let position = 0; position < size; ) {
    if (position + CENTRAL_BYTES > size || directory.readUInt32LE(position) !== CENTRAL) {
      throw damaged(`no directory entry at byte ${start + position}`);
    }
    const method = directory.readUInt16LE(position + 10);
    const nameEnd = position + CENTRAL_BYTES + directory.readUInt16LE(position + 28);
    const extraEnd = nameEnd + directory.readUInt16LE(position + 30);
    const next = extraEnd + directory.readUInt16LE(position + 32);
    if (next > size) throw damaged(`a directory entry at byte ${start + position} is cut short`);
    const name = directory.toString("utf8", position + CENTRAL_BYTES, nameEnd);
    const wide = wideFields(directory.subarray(nameEnd, extraEnd));
    const field = (offset: number): number => {
      const value = directory.readUInt32LE(position + offset);
      return value === IN_ZIP_64 ? (wide.shift() ?? value) : value;
    };
    const [bytes, compressedBytes, header] = [field(24), field(20), field(42)];
    const local = view(header, LOCAL_BYTES, `the header of ${name}`);
    if (local.readUInt32LE(0) !== LOCAL) throw damaged(`${name} has no header at byte ${header}`);
    const offset = header + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (offset + compressedBytes > file.byteLength) throw damaged(`${name} ends beyond the file`);
    members.push({ name, method, offset, compressedBytes, bytes });
    position = next;
  }
  return members;
}

/** The 64-bit values of an entry's extra field 1, in the order of the fields they stand for. */
function wideFields(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      const end = Math.min(at + 4 + length, extra.byteLength);
      const values: number[] = [];
      for (let value = at + 4; value + 8 <= end; value += 8)
        values.push(Number(extra.readBigUInt64LE(value)));
      return values;
    }
    at += 4 + length;
  }
  return [];
}
