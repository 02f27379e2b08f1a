import type { FileDigests } from "../request-key.ts";
import type { Database } from "./database.ts";

/** Digests of files, kept in a ledger. */
export class KeptDigests implements FileDigests {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  digest(path: string, size: number, changed: number): string | undefined {
    const found = this.#database.get(
      "select digest from image where path = ? and size = ? and changed = ?",
      path,
      size,
      changed,
    );
    return found && String(found["digest"]);
  }

  keepDigest(path: string, size: number, changed: number, digest: string): void {
    this.#database.run("insert or replace into image values (?, ?, ?, ?)", path, size, changed, digest);
  }
}
