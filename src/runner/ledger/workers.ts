import type { SQLInputValue } from "node:sqlite";
import { isAlive } from "../../files/index.ts";
import type { Database } from "./database.ts";

/** Milliseconds after its last sign of life that a worker loses what it claimed. */
const leaseMs = 30_000;

/** The processes that work on a ledger: each gives signs of life, and takes from those that have died. */
export class Workers {
  readonly #database: Database;
  readonly #owner: string;
  readonly #beat: NodeJS.Timeout;

  constructor(database: Database, owner: string) {
    this.#database = database;
    this.#owner = owner;
    this.renew();
    this.#beat = setInterval(() => this.renew(), leaseMs / 6);
    this.#beat.unref();
  }

  /** A sign of life of this worker. */
  renew(): void {
    this.#database.run("insert or replace into worker values (?, ?)", this.#owner, Date.now() + leaseMs);
  }

  /** Gives back what this worker has claimed; on a disk that takes nothing more its lease ends by itself. */
  leave(): void {
    clearInterval(this.#beat);
    try {
      if (this.#database.isOpen) this.#database.transaction(() => this.#takeFrom(this.#owner));
    } catch {
      // what went wrong is told where work was lost by it
    }
  }

  /** Takes the claims of workers that have ended without giving them back: what those asked may have been billed. */
  bury(): void {
    for (const { owner, until } of this.#database.all(
      "select owner, until from worker where owner <> ?",
      this.#owner,
    ))
      if (Number(until) < Date.now() || isAlive(String(owner)) === false) this.#takeFrom(String(owner));
  }

  #takeFrom(owner: string): void {
    chargeReserved(this.#database, "owner = ?", owner);
    this.#database.run(
      "update item set state = iif(state = 'claimed', 'todo', state), owner = null, reserved = 0 where owner = ?",
      owner,
    );
    this.#database.run("delete from worker where owner = ?", owner);
  }
}

/** Charges what items have reserved, whose bill nobody saw. */
export function chargeReserved(database: Database, where: string, value: SQLInputValue): void {
  const { held } = database.get(
    `select total(reserved) as held from item where reserved > 0 and ${where}`,
    value,
  )!;
  database.run("update spending set spent = spent + ?1, unknown = unknown + ?1", Number(held));
}
