import type { Database } from "./database.ts";

/** How fast all processes of a run may ask together. */
export class Pace {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Milliseconds until `amount` of what flows at `perMinute` may be taken, 0 when it was. */
  take(name: string, amount: number, perMinute: number, now = Date.now()): number {
    return this.#database.transaction(() => {
      const freeAt = Number(
        this.#database.get("select free_at from pace where name = ?", name)?.["free_at"] ?? 0,
      );
      // A second's worth may be taken at once.
      if (freeAt > now + 1000) return freeAt - now - 1000;
      this.#database.run(
        "insert or replace into pace values (?, ?)",
        name,
        Math.max(freeAt, now) + (amount * 60_000) / perMinute,
      );
      return 0;
    });
  }

  /** Keeps all processes from asking for so long, as an endpoint wishes. */
  hold(milliseconds: number, now = Date.now()): void {
    this.#database.run(
      "insert into pace values ('held', ?1) on conflict do update set free_at = max(free_at, ?1)",
      now + milliseconds,
    );
  }

  heldFor(now = Date.now()): number {
    const until = this.#database.get("select free_at from pace where name = 'held'")?.["free_at"];
    return Math.max(0, Number(until ?? 0) - now);
  }
}
