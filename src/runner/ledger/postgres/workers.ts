import type { Connection } from "./connection.ts";

/** Seconds after its last sign of life that a worker loses what it claimed. */
const leaseSeconds = 30;
/** Milliseconds between two looks for workers that have died. */
const burialMs = 2000;

/** The processes that work on a ledger, by the server's clock. */
export class PostgresWorkers {
  readonly #connection: Connection;
  readonly #owner: string;
  readonly #beat: NodeJS.Timeout;
  #buriedAt = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection, owner: string) {
    this.#connection = connection;
    this.#owner = owner;
    this.#beat = setInterval(() => void this.renew().catch(() => {}), (leaseSeconds * 1000) / 6);
    this.#beat.unref();
  }

  /** A sign of life of this worker. */
  async renew(): Promise<void> {
    await this.#connection.query(
      `insert into worker values ($1, now() + $2 * interval '1 second')
       on conflict (owner) do update set until = excluded.until`,
      this.#owner,
      leaseSeconds,
    );
  }

  /** Gives back what this worker has claimed. */
  async leave(): Promise<void> {
    clearInterval(this.#beat);
    await this.#take("owner = $1").catch(() => {}); // its lease ends by itself
  }

  /** Takes the claims of workers whose leases have ended: what those asked may have been billed. */
  async bury(): Promise<void> {
    if (performance.now() - this.#buriedAt < burialMs) return;
    this.#buriedAt = performance.now();
    await this.#take("until < now() and owner <> $1");
  }

  async #take(which: string): Promise<void> {
    await this.#connection.transaction(async (query) => {
      const gone = await query(`delete from worker where ${which} returning owner`, this.#owner);
      if (gone.length === 0) return;
      const freed = await query(
        `with freed as (
           select number, reserved from item where owner = any($1::text[]) order by number for update
         )
         update item set state = case when state = 'claimed' then 'todo' else state end, owner = null, reserved = 0
         from freed where item.number = freed.number returning freed.reserved`,
        gone.map((row) => row["owner"]),
      );
      const held = freed.reduce((sum, { reserved }) => sum + Number(reserved), 0);
      await freeReserved(query, held, held, held);
    });
  }
}

/** Gives back what was reserved, and notes what of it is spent. */
export async function freeReserved(
  query: Connection["query"],
  reserved: number,
  spent: number,
  unknown: number,
): Promise<void> {
  if (reserved === 0 && spent === 0) return;
  await query(
    "update spending set reserved = reserved - $1, spent = spent + $2, unknown = unknown + $3",
    reserved,
    spent,
    unknown,
  );
}
