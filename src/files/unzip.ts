import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdir, open, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createInflateRaw, inflateRaw } from "node:zlib";
import { LlavaError } from "../errors.ts";
import { isRefusal, unwritable } from "./refusals.ts";

const inflate = promisify(inflateRaw);

interface ZipMember {
  name: string;
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
/** Members up to here are read at once: a wheel has thousands of them, and streams cost more than their bytes. */
const smallBytes = 1 << 20;

export interface UnzipOptions {
  /** Bytes written so far. */
  onBytes?: (written: number) => void;
  signal?: AbortSignal;
}

/**
 * Writes one member of a zip archive to a file, as a stream, in constant memory. Archives beyond 4 GiB (zip64) and encrypted
 * ones are not read.
 * @throws LlavaError "checkpoint" when the archive is damaged or has no such member
 */
export async function extractZipMember(
  archive: string,
  member: string,
  destination: string,
  options: UnzipOptions = {},
): Promise<void> {
  await using file = await open(archive);
  const found = (await readDirectory(file, archive)).find(({ name }) => name === member);
  if (!found) throw damaged(archive, `it has no member "${member}"`);
  await extract(file, archive, found, destination, options);
}

/**
 * Writes all members of a zip archive into a folder.
 * @throws LlavaError "checkpoint" when the archive is damaged or names a file outside of the folder
 */
export async function extractZip(
  archive: string,
  folder: string,
  { onBytes, signal }: UnzipOptions = {},
): Promise<void> {
  await using file = await open(archive);
  const made = new Set<string>();
  let before = 0;
  for (const member of await readDirectory(file, archive)) {
    if (/^[/\\]|(?:^|[/\\])\.\.(?:[/\\]|$)/.test(member.name))
      throw damaged(archive, `"${member.name}" is a path outside of it`);
    if (member.name.endsWith("/")) continue;
    const path = join(folder, member.name);
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
    made.add(dirname(path));
    await extract(file, archive, member, path, {
      onBytes: (written) => onBytes?.(before + written),
      ...(signal && { signal }),
    });
    before += member.bytes;
  }
}

/** The length of all members of a zip archive, uncompressed. */
export async function unzippedBytes(archive: string): Promise<number> {
  await using file = await open(archive);
  return (await readDirectory(file, archive)).reduce((sum, { bytes }) => sum + bytes, 0);
}

async function extract(
  file: FileHandle,
  archive: string,
  { name, method, compressedBytes, bytes, headerOffset }: ZipMember,
  destination: string,
  { onBytes, signal }: UnzipOptions,
): Promise<void> {
  if (method !== stored && method !== deflated)
    throw damaged(archive, `"${name}" uses compression method ${method}`);
  const header = await readExactly(file, headerOffset, headerBytes, archive);
  const start = headerOffset + headerBytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  let written = 0;
  const count = (chunk: Buffer): void => {
    written += chunk.length;
    onBytes?.(written);
  };
  try {
    signal?.throwIfAborted();
    if (compressedBytes < smallBytes && bytes < smallBytes) {
      const content = await readExactly(file, start, compressedBytes, archive);
      const inflated = method === deflated ? await inflate(content) : content;
      await writeFile(destination, inflated);
      count(inflated);
    } else {
      const input = createReadStream(archive, { start, end: start + compressedBytes - 1 });
      const counted = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          count(chunk);
          done(null, chunk);
        },
      });
      const stages = method === deflated ? [input, createInflateRaw(), counted] : [input, counted];
      await pipeline([...stages, createWriteStream(destination)], signal ? { signal } : {});
    }
  } catch (error) {
    if (isRefusal(error)) throw unwritable(destination, error);
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) throw error;
    throw damaged(archive, `"${name}" does not inflate`);
  }
  if (written !== bytes) throw damaged(archive, `"${name}" has ${written} bytes, expected ${bytes}`);
}

async function readDirectory(file: FileHandle, archive: string): Promise<ZipMember[]> {
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
  const members: ZipMember[] = [];
  for (let at = 0; at + entryBytes <= directory.length; ) {
    if (directory.readUInt32LE(at) !== entrySignature) throw damaged(archive, `bad directory entry at ${at}`);
    const nameEnd = at + entryBytes + directory.readUInt16LE(at + 28);
    members.push({
      name: directory.toString("utf8", at + entryBytes, nameEnd),
      method: directory.readUInt16LE(at + 10),
      compressedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      headerOffset: directory.readUInt32LE(at + 42),
    });
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return members;
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
