import type { Database } from "./database.ts";

/** Which items are with which batch of an endpoint's. */
export class BatchLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Hands claims over to a batch of the endpoint's, before it is sent: a process that is killed finds it again by its name. */
  begin(name: string, items: readonly number[]): void {
    this.#database.transaction(
      () => {
        this.#database.run("insert into batch values (?, null)", name);
        for (const item of items)
          this.#database.run("update item set state = 'batched', owner = ? where number = ?", name, item);
      },
      { isOnDisk: true },
    );
  }

  /** The endpoint's own name of a batch. */
  rename(name: string, remote: string): void {
    this.#database.run("update batch set remote = ? where name = ?", remote, name);
  }

  /** Those under way, with the endpoint's names of those that it is known to have. */
  underWay(): { readonly name: string; readonly remote: string | undefined }[] {
    return this.#database.all("select name, remote from batch order by rowid").map(({ name, remote }) => ({
      name: String(name),
      remote: remote === null ? undefined : String(remote),
    }));
  }

  /** An item that is in a batch, by its key. */
  itemOf(name: string, key: string): number | undefined {
    const found = this.#database.get("select number from item where owner = ? and key = ?", name, key);
    return found && Number(found["number"]);
  }
}
