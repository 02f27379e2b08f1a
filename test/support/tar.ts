import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";

/** Writes a tar archive of files by name, in order. Returns its path. */
export async function writeTar(
  path: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  await pipeline(archive, createWriteStream(path));
  return path;
}
