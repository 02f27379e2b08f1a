import { createHash, type Hash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";

/** The SHA-256 of a file, in hexadecimal. */
export const fileSha256 = (path: string): Promise<string> => digest(path, createHash("sha256"));

/** The name that git gives a file's content: the SHA-1 of its length and bytes, in hexadecimal. */
export const fileGitHash = (path: string): Promise<string> =>
  digest(path, createHash("sha1").update(`blob ${statSync(path).size}\0`));

async function digest(path: string, hash: Hash): Promise<string> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
}
