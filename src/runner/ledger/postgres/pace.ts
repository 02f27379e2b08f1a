import type { WorkPace } from "../work-ledger.ts";
import type { Connection } from "./connection.ts";

/** How fast all processes of a run may ask together, by the server's clock. */
export class PostgresPace implements WorkPace {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async take(name: string, amount: number, perMinute: number): Promise<number> {
    await this.#connection.query("insert into pace values ($1, now()) on conflict do nothing", name);
    // A second's worth may be taken at once.
    const taken = await this.#connection.query(
      `update pace set free_at = greatest(free_at, clock_timestamp()) + $2 * interval '1 minute'
       where name = $1 and free_at <= clock_timestamp() + interval '1 second' returning name`,
      name,
      amount / perMinute,
    );
    return taken.length > 0 ? 0 : Math.max(1, (await this.#millisecondsTo(name)) - 1000);
  }

  async hold(milliseconds: number): Promise<void> {
    await this.#connection.query(
      `insert into pace values ('held', clock_timestamp() + $1 * interval '1 millisecond')
       on conflict (name) do update set free_at = greatest(pace.free_at, excluded.free_at)`,
      milliseconds,
    );
  }

  async heldFor(): Promise<number> {
    return Math.max(0, await this.#millisecondsTo("held"));
  }

  async #millisecondsTo(name: string): Promise<number> {
    const [row] = await this.#connection.query(
      "select extract(epoch from free_at - clock_timestamp()) * 1000 as left from pace where name = $1",
      name,
    );
    return Number(row?.["left"] ?? 0);
  }
}
