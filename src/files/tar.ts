import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { LlavaError } from "../errors.ts";
import { fileKind } from "./file-kind.ts";

export interface TarMember {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface ReadTarOptions {
  /** Whether a member's bytes are wanted; the others come empty. All are without it. */
  readonly wants?: (name: string) => boolean;
}

/**
 * The files in a tar archive, in order, one at a time in memory.
 * @throws LlavaError "data" naming the archive and how far it goes, if it is damaged or cut short
 */
export async function* readTar(
  path: string,
  { wants = () => true }: ReadTarOptions = {},
): AsyncGenerator<TarMember> {
  // Loaded by the first archive: this folder is loaded by every command.
  const { extract } = await import("tar-stream");
  const archive = extract();
  // An error of either reaches the loop below through the archive.
  pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), archive, () => {});
  let members = 0;
  let last = "";
  try {
    for await (const entry of archive) {
      const { name, type } = entry.header;
      const isWanted = type === "file" && wants(name);
      const bytes = await contents(entry, isWanted);
      if (type === "file") {
        members++;
        last = name;
        yield { name, bytes };
      }
    }
    await requireEnd(path);
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    const kind = members === 0 ? await fileKind(path).catch(() => "a tar archive") : "a tar archive";
    if (!/^(a tar archive|binary data|an empty file)/.test(kind))
      throw new LlavaError("data", `${path}: damaged, or no tar archive: it is ${kind}`, {
        hint: "Shards are tar archives that are not packed; unpack it, or fetch it again.",
        cause,
      });
    const after = members === 0 ? "at its begin" : `after ${members} files, the last ${last}`;
    throw new LlavaError("data", `${path}: damaged or cut short ${after}: ${(cause as Error).message}`, {
      hint: "Fetch the archive again.",
      cause,
    });
  } finally {
    archive.destroy();
  }
}

async function contents(entry: AsyncIterable<unknown>, isWanted: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) if (isWanted) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A whole archive ends with a block of zeros; one cut between two files does not. */
async function requireEnd(path: string): Promise<void> {
  await using file = await open(path);
  const { size } = await file.stat();
  const block = Buffer.alloc(Math.min(512, size));
  await file.read(block, 0, block.length, size - block.length);
  if (block.length < 512 || block.some((byte) => byte !== 0)) throw new Error("its end mark is missing");
}
