import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { LlavaError } from "../errors.ts";

interface ZipMember {
  method: number;
  compressedBytes: number;
  bytes: number;
  headerOffset: number;
}

// Signatures and field offsets of PKWARE's APPNOTE 4.3.
const endSignature = 0x06054b50;
const endBytes = 22;
const entrySignature = 0x02014b50;
const entryBytes = 46;
const headerBytes = 30;
const stored = 0;
const deflated = 8;

/**
 * Writes one member of a zip archive to a file, as a stream, in constant memory. Archives beyond 4 GiB (zip64) and encrypted
 * ones are not read.
 * @throws LlavaError "checkpoint" when the archive is damaged or has no such member
 */
export async function extractZipMember(
  archive: string,
  member: string,
  destination: string,
  { onBytes, signal }: { onBytes?: (written: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  const { method, bytes, start, compressedBytes } = await locateMember(archive, member);
  if (method !== stored && method !== deflated) {
    throw damaged(archive, `"${member}" uses compression method ${method}`);
  }
  let written = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      written += chunk.length;
      onBytes?.(written);
      done(null, chunk);
    },
  });
  const input =
    compressedBytes > 0
      ? createReadStream(archive, { start, end: start + compressedBytes - 1 })
      : Readable.from([]);
  const stages = method === deflated ? [input, createInflateRaw(), count] : [input, count];
  try {
    await pipeline([...stages, createWriteStream(destination)], signal ? { signal } : {});
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) throw error;
    throw damaged(archive, `"${member}" does not inflate`);
  }
  if (written !== bytes) throw damaged(archive, `"${member}" has ${written} bytes, expected ${bytes}`);
}

async function locateMember(archive: string, member: string): Promise<ZipMember & { start: number }> {
  const file = await open(archive);
  try {
    const found = await findMember(file, archive, member);
    const header = await readExactly(file, found.headerOffset, headerBytes, archive);
    const start = found.headerOffset + headerBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
    return { ...found, start };
  } finally {
    await file.close();
  }
}

async function findMember(file: FileHandle, archive: string, wanted: string): Promise<ZipMember> {
  const { size } = await file.stat();
  const tailBytes = Math.min(size, endBytes + 0xffff);
  const tail = await readExactly(file, size - tailBytes, tailBytes, archive);
  let end = tailBytes - endBytes;
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw damaged(archive, "it has no end-of-directory record");
  const directory = await readExactly(
    file,
    tail.readUInt32LE(end + 16),
    tail.readUInt32LE(end + 12),
    archive,
  );
  for (let at = 0; at + entryBytes <= directory.length; ) {
    if (directory.readUInt32LE(at) !== entrySignature) throw damaged(archive, `bad directory entry at ${at}`);
    const nameEnd = at + entryBytes + directory.readUInt16LE(at + 28);
    if (directory.toString("utf8", at + entryBytes, nameEnd) === wanted) {
      return {
        method: directory.readUInt16LE(at + 10),
        compressedBytes: directory.readUInt32LE(at + 20),
        bytes: directory.readUInt32LE(at + 24),
        headerOffset: directory.readUInt32LE(at + 42),
      };
    }
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw damaged(archive, `it has no member "${wanted}"`);
}

async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  archive: string,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw damaged(archive, `it ends after byte ${position + bytesRead}`);
  return buffer;
}

const damaged = (archive: string, reason: string): LlavaError =>
  new LlavaError("checkpoint", `cannot read the zip archive ${archive}: ${reason}`, {
    hint: "The file is damaged or of another kind; fetch it again.",
  });
