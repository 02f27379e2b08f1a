import { createHash, type Hash, hash as hashed } from "node:crypto";
import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs";

/** The SHA-256 of bytes or of a text in UTF-8, in hexadecimal. */
export const sha256 = (data: string | Uint8Array): string => hashed("sha256", data, "hex");

/** The same of a file, piece by piece: weights may be larger than what a buffer holds. */
export const fileSha256 = (path: string): Promise<string> => digest(path, createHash("sha256"));

/** The name that git gives a file's content: the SHA-1 of its length and bytes, in hexadecimal. */
export const fileGitHash = (path: string): Promise<string> =>
  digest(path, createHash("sha1").update(`blob ${statSync(path).size}\0`));

async function digest(path: string, hash: Hash): Promise<string> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
}

/** The same at once. */
export function fileSha256Sync(path: string): string {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(2 ** 22);
  const descriptor = openSync(path, "r");
  try {
    for (let count = readSync(descriptor, piece); count > 0; count = readSync(descriptor, piece))
      hash.update(piece.subarray(0, count));
  } finally {
    closeSync(descriptor);
  }
  return hash.digest("hex");
}
