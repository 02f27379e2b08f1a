import { LlavaError } from "../../errors.ts";
import { sha256, withLock } from "../../files/index.ts";
import type { Database } from "./database.ts";

/** A request as it is planned. */
export interface Planned {
  readonly key: string;
  readonly id: string;
  /** Comes with the item when it is claimed, so that whoever plans need not keep it. */
  readonly task?: string;
}

/** Finds an item by its key, the first parameter. */
const isKey = "substr(key, -16) = substr(?1, -16) and key = ?1";

/**
 * What of a ledger's items is planned, and in which order, under the name `plan`: a table of this connection's own, or one
 * that is kept, so that a run of very many items is planned once.
 */
export class PlanTable {
  readonly #database: Database;
  #table = "temp.plan";
  #planned = 0;

  constructor(database: Database) {
    this.#database = database;
    database.exec("create temp table plan (sequence integer primary key, item integer not null)");
    database.exec("create unique index temp.plan_item on plan (item)");
  }

  get isEmpty(): boolean {
    return this.#planned === 0;
  }

  /** @throws LlavaError "data" for a request that comes twice */
  add(requests: readonly Planned[]): void {
    const database = this.#database;
    database.transaction(() => {
      for (const { key, id, task } of requests) {
        let item = database.get(`select number from item where ${isKey}`, key)?.["number"];
        if (item === undefined) {
          item = database.insert("insert into item (key, id) values (?, ?)", key, id);
          if (task !== undefined) database.run("insert into task values (?, ?)", item, task);
        }
        if (database.run(`insert or ignore into ${this.#table} values (?, ?)`, this.#planned, item) > 0)
          this.#planned++;
        else throw new LlavaError("data", `${id}: the same request comes twice`);
      }
    });
  }

  /** Takes a plan that is kept, by its name. Returns whether all of it is there, and need not be renewed. */
  keep(name: string, { isRenewed = false } = {}): boolean {
    const table = `plan_${sha256(name).slice(0, 24)}`;
    this.#table = `main.${table}`;
    this.#database.exec(
      `create table if not exists ${table} (sequence integer primary key, item integer not null unique);
       drop table temp.plan; create temp view plan as select sequence, item from ${this.#table}`,
    );
    if (isRenewed) this.#database.run("delete from setting where name = ?", this.#whole);
    const whole = this.#database.get("select value from setting where name = ?", this.#whole)?.["value"];
    this.#planned = Number(whole ?? 0);
    if (whole === undefined) this.#database.run(`delete from ${this.#table}`);
    return whole !== undefined;
  }

  /** Says that all of a plan that is kept has been added. */
  complete(): void {
    this.#database.run("insert or replace into setting values (?, ?)", this.#whole, String(this.#planned));
  }

  /** Runs `work`, which plans, while no other process does so. */
  async alone<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return await withLock(`${this.#database.path}.plan.lock`, work, signal ? { signal } : {});
  }

  get #whole(): string {
    return `items of ${this.#table}`;
  }
}
