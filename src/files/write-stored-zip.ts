import { crc32 } from "node:zlib";
import { LlavaError } from "../errors.ts";

export interface StoredEntry {
  readonly name: string;
  /** Asked for when it is written. */
  readonly bytes: () => Uint8Array;
}

/** What its lengths of 32 bits can say. */
const MOST_BYTES = 2 ** 32 - 1;

/**
 * The pieces of a zip archive whose entries are stored as they are; `path` is for messages.
 * @throws LlavaError "usage" above 4 GB
 */
export function* storedZip(entries: readonly StoredEntry[], path: string): Generator<Uint8Array> {
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, bytes: read } of entries) {
    const bytes = read();
    if (at + bytes.length > MOST_BYTES)
      throw new LlavaError("usage", `${path} is not written: a zip archive of this kind holds 4 GB`);
    const label = Buffer.from(name);
    const described = describe(bytes, label.length);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), described, label]);
    yield local;
    yield bytes;
    const place = Buffer.alloc(14); // no comment, first volume, no attributes
    place.writeUInt32LE(at, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\x00"), described, place, label);
    at += local.length + bytes.length;
  }
  const whole = Buffer.concat(directory);
  yield whole;
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(whole.length, 12);
  end.writeUInt32LE(at, 16);
  yield end;
}

/** What both headers of an entry say: version 2.0, no flags, stored, 1 January 1980, checksum and lengths. */
function describe(bytes: Uint8Array, nameLength: number): Buffer {
  const header = Buffer.alloc(26);
  header.writeUInt16LE(20, 0);
  header.writeUInt16LE(0x21, 8);
  header.writeUInt32LE(crc32(bytes), 10);
  header.writeUInt32LE(bytes.length, 14);
  header.writeUInt32LE(bytes.length, 18);
  header.writeUInt16LE(nameLength, 22);
  return header;
}
