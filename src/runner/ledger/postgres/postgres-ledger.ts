import { LlavaError } from "../../../errors.ts";
import { processMark, sha256 } from "../../../files/index.ts";
import { entryOf, type LedgerEntry } from "../entry.ts";
import type { RunStatus } from "../ledger-view.ts";
import type {
  Claim,
  LedgerCounts,
  Reservation,
  Reserved,
  RunLedger,
  Settlement,
  Spending,
} from "../work-ledger.ts";
import { type Connection, connect } from "./connection.ts";
import { PostgresPace } from "./pace.ts";
import { PostgresPlans } from "./plans.ts";
import { statusOf } from "./status.ts";
import { schemaOf, tables } from "./tables.ts";
import { freeReserved, PostgresWorkers } from "./workers.ts";

/** Entries that are fetched at once. */
const pageSize = 1000;

/**
 * The work of a run in a schema of a PostgreSQL server, shared by processes of many machines. Leases are by the server's
 * clock. It may be started anew while they work: they wait for it.
 */
export class PostgresLedger implements RunLedger, AsyncDisposable {
  readonly owner = processMark();
  readonly pace: PostgresPace;
  readonly plans: PostgresPlans;
  readonly digests = undefined;
  readonly #connection: Connection;
  readonly #workers: PostgresWorkers;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.pace = new PostgresPace(connection);
    this.plans = new PostgresPlans(connection);
    this.#workers = new PostgresWorkers(connection, this.owner);
  }

  /**
   * @param run names the schema
   * @throws LlavaError "setup" without the package `pg`, "network" where no server answers, "data" where it refuses
   */
  static async open(url: string, run: string, { mustExist = false } = {}): Promise<PostgresLedger> {
    const schema = schemaOf(run);
    const connection = await connect(url, schema);
    if (mustExist) {
      const [found] = await connection.query("select to_regnamespace($1) is not null as there", schema);
      if (!found!["there"])
        throw new LlavaError("data", `${run}: the server has no such run`, {
          hint: "A run is named by its folder's name.",
        });
    }
    // Two that make tables at once stand in each other's way.
    await connection.transaction(async (query) => {
      await query("select pg_advisory_xact_lock(hashtext('llava tables'))");
      await query(tables(schema));
    });
    const ledger = new PostgresLedger(connection);
    await ledger.#workers.renew();
    return ledger;
  }

  async claim(count: number): Promise<readonly Claim[]> {
    await this.#workers.bury();
    const rows = await this.#connection.query(
      // Asked item by item whether it is planned: a join would be chosen by what the server last counted, and read all of the plan.
      `with chosen as (
         select number from item
         where state = 'todo' and (select true from plan where plan.name = $1 and plan.item = item.number)
         order by number limit $2 for update skip locked
       )
       update item set state = 'claimed', owner = $3 from chosen where item.number = chosen.number
       returning item.number as item, key, task,
         (select sequence from plan where plan.name = $1 and plan.item = item.number) as sequence`,
      this.plans.name,
      count,
      this.owner,
    );
    return rows.map(({ item, key, sequence, task }) => ({
      item: Number(item),
      key: String(key),
      sequence: Number(sequence),
      task: task === null ? null : String(task),
    }));
  }

  async reserve(requests: readonly Reservation[], cap: number): Promise<Reserved> {
    const items = requests.map(({ item }) => item);
    const amounts = requests.map(({ amount }) => amount);
    const all = amounts.reduce((sum, amount) => sum + amount, 0);
    const state = await this.#connection.transaction(async (query): Promise<Reserved> => {
      const own = await query(
        "select number from item where owner = $1 and number = any($2::bigint[]) for update",
        this.owner,
        items,
      );
      if (own.length < items.length) return "lost";
      if (all === 0) return "reserved";
      const [spending] = await query("select * from spending for update");
      const [spent, reserved] = [Number(spending!["spent"]), Number(spending!["reserved"])];
      // Sums of fractions leave dust.
      if (spent + reserved + all > cap) return reserved > 1e-9 ? "wait" : "exhausted";
      await query(
        `update item set reserved = reserved + amount from unnest($1::bigint[], $2::float8[]) as asked (number, amount)
         where item.number = asked.number`,
        items,
        amounts,
      );
      await query("update spending set reserved = reserved + $1", all);
      return "reserved";
    });
    if (state === "wait") await this.#workers.bury();
    return state;
  }

  async release(item: number, { charge }: { readonly charge: boolean }): Promise<void> {
    await this.#connection.transaction(async (query) => {
      const [held] = await query(
        "select reserved from item where number = $1 and owner = $2 for update",
        item,
        this.owner,
      );
      const reserved = Number(held?.["reserved"] ?? 0);
      if (reserved === 0) return;
      await query("update item set reserved = 0 where number = $1", item);
      await freeReserved(query, reserved, charge ? reserved : 0, charge ? reserved : 0);
    });
  }

  async settle(replies: readonly Settlement[]): Promise<readonly number[]> {
    const items = replies.map(({ item }) => item);
    const digests = replies.map(({ reply }) => sha256(reply.text).slice(0, 32));
    return await this.#connection.transaction(async (query) => {
      const held = await query(
        "select number, reserved from item where number = any($1::bigint[]) and owner = $2 order by number for update",
        items,
        this.owner,
      );
      const reservedOf = new Map(held.map(({ number, reserved }) => [Number(number), Number(reserved)]));
      const costs = replies.map(({ item, cost }) => cost ?? reservedOf.get(item) ?? 0);
      const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
      const unknown = sum(replies.map(({ cost }, place) => (cost === undefined ? costs[place]! : 0)));
      await freeReserved(query, sum([...reservedOf.values()]), sum(costs), unknown);
      // Another worker that was given an item meanwhile keeps its reservation until it has its own reply.
      await query(
        `update item set state = 'done', error = null, text = given.text, digest = given.digest, reason = given.reason,
         served = given.served, usage = given.usage, cost = given.cost, attempts = given.attempts
         from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::int[])
           as given (number, text, digest, reason, served, usage, cost, attempts)
         where item.number = given.number and state <> 'done'`,
        items,
        // No text of PostgreSQL's may hold a zero byte.
        replies.map(({ reply }) => reply.text.replaceAll("\0", "")),
        digests,
        replies.map(({ reply }) => reply.reason),
        replies.map(({ reply }) => reply.model ?? null),
        replies.map(({ reply }) => JSON.stringify(reply.usage)),
        costs,
        replies.map(({ attempts }) => attempts),
      );
      await query(
        "update item set owner = null, reserved = 0 where number = any($1::bigint[]) and owner = $2",
        items,
        this.owner,
      );
      const counted = await query(
        `select (select count(*) from (select 1 from item where item.digest = given.digest limit 1000) as same) as same
         from unnest($1::text[]) with ordinality as given (digest, place) order by place`,
        digests,
      );
      return counted.map(({ same }) => Number(same));
    });
  }

  async fail(item: number, error: string, attempts: number): Promise<void> {
    await this.release(item, { charge: false });
    await this.#connection.query(
      `update item set state = 'failed', owner = null, error = $1, attempts = $2
       where number = $3 and state <> 'done' and owner = $4`,
      error.replaceAll("\0", ""),
      attempts,
      item,
      this.owner,
    );
  }

  async unclaim(item: number): Promise<void> {
    await this.#connection.query(
      "update item set state = 'todo', owner = null where number = $1 and state = 'claimed' and owner = $2",
      item,
      this.owner,
    );
  }

  async retryFailed(): Promise<void> {
    await this.#connection.query(
      `update item set state = 'todo', attempts = 0 from plan
       where plan.item = number and plan.name = $1 and state = 'failed'`,
      this.plans.name,
    );
  }

  async isClaimed(): Promise<boolean> {
    const found = await this.#connection.query(
      `select 1 from item where owner is not null
       and (select true from plan where plan.name = $1 and plan.item = item.number) limit 1`,
      this.plans.name,
    );
    return found.length > 0;
  }

  async counts(): Promise<LedgerCounts> {
    const rows = await this.#connection.query(
      "select state, count(*) as count from item join plan on plan.item = number where plan.name = $1 group by state",
      this.plans.name,
    );
    const none: LedgerCounts = { todo: 0, claimed: 0, batched: 0, done: 0, failed: 0 };
    return { ...none, ...Object.fromEntries(rows.map(({ state, count }) => [String(state), Number(count)])) };
  }

  async spending(): Promise<Spending> {
    const [row] = await this.#connection.query("select spent, unknown, reserved from spending");
    const { spent, unknown, reserved } = row!;
    return { spent: Number(spent), unknown: Number(unknown), reserved: Math.max(0, Number(reserved)) };
  }

  async mostServed(): Promise<string | undefined> {
    const [found] = await this.#connection.query(
      `select served from plan join item on number = plan.item where plan.name = $1 and served is not null
       group by served order by count(*) desc, served limit 1`,
      this.plans.name,
    );
    return found && String(found["served"]);
  }

  async *entries(): AsyncGenerator<LedgerEntry> {
    for (let from = 0; ; from += pageSize) {
      const rows = await this.#connection.query(
        `select sequence, task, key, id, state, error, attempts, text, reason, served, usage, cost,
         (select count(*) from (select 1 from item as other where other.digest = item.digest limit 1000) as same) as same
         from plan join item on number = plan.item
         where plan.name = $1 and sequence >= $2 and sequence < $3 order by sequence`,
        this.plans.name,
        from,
        from + pageSize,
      );
      for (const row of rows) yield entryOf(row);
      if (rows.length < pageSize) return;
    }
  }

  async set(name: string, value: string): Promise<void> {
    await this.#connection.query(
      "insert into setting values ($1, $2) on conflict (name) do update set value = excluded.value",
      name,
      value,
    );
  }

  /** How far all processes are. */
  async status(): Promise<RunStatus> {
    return await statusOf(this.#connection, this.owner);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workers.leave();
    await this.#connection.close();
  }
}
