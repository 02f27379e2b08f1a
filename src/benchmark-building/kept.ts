import { Database } from "../runner/index.ts";

/** What a build has found out about images and texts, on the disk: the next run of the same build does not find it out again. */
export class Kept implements Disposable {
  readonly #database: Database;

  /** @throws LlavaError "data" for a file that cannot be used */
  constructor(path: string) {
    this.#database = new Database(path);
    this.#database.exec(
      "create table if not exists kept (kind text, key text, value blob not null, primary key (kind, key)) without rowid",
    );
  }

  get(kind: string, key: string): Uint8Array | undefined {
    const value = this.#database.get("select value from kept where kind = ? and key = ?", kind, key)?.[
      "value"
    ];
    return value instanceof Uint8Array ? value : undefined;
  }

  put(kind: string, key: string, value: Uint8Array): void {
    this.#database.run("insert or replace into kept values (?, ?, ?)", kind, key, value);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
