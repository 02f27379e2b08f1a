import { LlavaError } from "../errors.ts";
import { type ByteRange, readZipDirectory, STORED } from "./zip-directory.ts";

/** A file inside a zip archive, stored as it is. */
export interface StoredMember {
  /** Position of its first byte in the archive. */
  readonly offset: number;
  readonly byteLength: number;
}

/**
 * The files of a zip archive by their names, all of which are stored without compression.
 * @throws LlavaError "checkpoint" where the archive is damaged or one of them is compressed
 */
export function readStoredZip(file: ByteRange, where: string): ReadonlyMap<string, StoredMember> {
  const members = readZipDirectory(file, where);
  const compressed = members.find(({ method }) => method !== STORED);
  if (compressed !== undefined)
    throw new LlavaError(
      "checkpoint",
      `${where}: a zip archive whose ${compressed.name} is compressed; torch.save stores without compression`,
      { hint: "Unpack it, and give what is inside; or load the file with torch and save it again." },
    );
  return new Map(members.map(({ name, offset, bytes }) => [name, { offset, byteLength: bytes }]));
}
