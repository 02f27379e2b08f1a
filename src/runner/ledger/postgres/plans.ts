import { LlavaError } from "../../../errors.ts";
import { sha256 } from "../../../files/index.ts";
import type { Planned } from "../plan-table.ts";
import type { RunLedger } from "../work-ledger.ts";
import type { Connection } from "./connection.ts";

/** Plans that a server keeps. */
export class PostgresPlans implements Plans {
  readonly #connection: Connection;
  /** The plan that is taken. */
  name = "";
  #planned = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async keep(name: string, { isRenewed = false } = {}): Promise<boolean> {
    this.name = sha256(name).slice(0, 24);
    if (isRenewed) await this.#connection.query("delete from setting where name = $1", this.#whole);
    const [whole] = await this.#connection.query("select value from setting where name = $1", this.#whole);
    this.#planned = Number(whole?.["value"] ?? 0);
    if (whole === undefined) await this.#connection.query("delete from plan where name = $1", this.name);
    return whole !== undefined;
  }

  async add(requests: readonly Planned[]): Promise<void> {
    const [keys, ids, tasks] = [
      requests.map(({ key }) => key),
      requests.map(({ id }) => id),
      requests.map(({ task }) => task ?? null),
    ];
    await this.#connection.transaction(async (query) => {
      await query(
        `insert into item (key, id, task) select * from unnest($1::text[], $2::text[], $3::text[])
         on conflict (key) do nothing`,
        keys,
        ids,
        tasks,
      );
      const added = await query(
        `insert into plan select $1, $2 + place - 1, number
         from unnest($3::text[]) with ordinality as planned (key, place) join item using (key)
         on conflict do nothing returning sequence`,
        this.name,
        this.#planned,
        keys,
      );
      if (added.length < requests.length) {
        const twice = ids.find((_, place) => keys.indexOf(keys[place]!) < place) ?? ids[0];
        throw new LlavaError("data", `${twice}: the same request comes twice`);
      }
    });
    this.#planned += requests.length;
  }

  async complete(): Promise<void> {
    await this.#connection.query(
      "insert into setting values ($1, $2) on conflict (name) do update set value = excluded.value",
      this.#whole,
      String(this.#planned),
    );
    // Until the server has counted what came, it reads whole tables.
    for (const table of ["item", "plan"]) await this.#connection.query(`analyze ${table}`);
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    return await this.#connection.transaction(async (query) => {
      await query("select pg_advisory_xact_lock(hashtext(current_schema() || ' plan'))");
      return await work();
    });
  }

  get #whole(): string {
    return `items of ${this.name}`;
  }
}

type Plans = RunLedger["plans"];
