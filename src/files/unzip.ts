import { closeSync, createReadStream, createWriteStream, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, mkdir, open, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createInflateRaw, inflateRaw } from "node:zlib";
import { LlavaError } from "../errors.ts";
import { isRefusal, unwritable } from "./refusals.ts";
import { DEFLATED, readZipDirectory, STORED, type ZipMember } from "./zip-directory.ts";

const inflate = promisify(inflateRaw);

/** Members up to here are read at once: a wheel has thousands of them, and streams cost more than their bytes. */
const smallBytes = 1 << 20;

export interface UnzipOptions {
  /** Bytes written so far. */
  onBytes?: (written: number) => void;
  signal?: AbortSignal;
}

/**
 * Writes one member of a zip archive to a file, as a stream, in constant memory. Encrypted archives are not read.
 * @throws LlavaError "checkpoint" when the archive is damaged or has no such member
 */
export async function extractZipMember(
  archive: string,
  member: string,
  destination: string,
  options: UnzipOptions = {},
): Promise<void> {
  await using file = await open(archive);
  const found = membersOf(archive).find(({ name }) => name === member);
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
  for (const member of membersOf(archive)) {
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
export const unzippedBytes = (archive: string): number =>
  membersOf(archive).reduce((sum, { bytes }) => sum + bytes, 0);

function membersOf(archive: string): ZipMember[] {
  const descriptor = openSync(archive, "r");
  try {
    const bytes = (start: number, end: number): Buffer => {
      const part = Buffer.alloc(end - start);
      return part.subarray(0, readSync(descriptor, part, 0, part.length, start));
    };
    return readZipDirectory({ byteLength: fstatSync(descriptor).size, bytes }, archive);
  } finally {
    closeSync(descriptor);
  }
}

async function extract(
  file: FileHandle,
  archive: string,
  { name, method, offset: start, compressedBytes, bytes }: ZipMember,
  destination: string,
  { onBytes, signal }: UnzipOptions,
): Promise<void> {
  if (method !== STORED && method !== DEFLATED)
    throw damaged(archive, `"${name}" uses compression method ${method}`);
  let written = 0;
  const count = (chunk: Buffer): void => {
    written += chunk.length;
    onBytes?.(written);
  };
  try {
    signal?.throwIfAborted();
    if (compressedBytes < smallBytes && bytes < smallBytes) {
      const content = await readExactly(file, start, compressedBytes, archive);
      const inflated = method === DEFLATED ? await inflate(content) : content;
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
      const stages = method === DEFLATED ? [input, createInflateRaw(), counted] : [input, counted];
      await pipeline([...stages, createWriteStream(destination)], signal ? { signal } : {});
    }
  } catch (error) {
    if (isRefusal(error)) throw unwritable(destination, error);
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) throw error;
    throw damaged(archive, `"${name}" does not inflate`);
  }
  if (written !== bytes) throw damaged(archive, `"${name}" has ${written} bytes, expected ${bytes}`);
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
