import { processMark, sha256 } from "../../files/index.ts";
import type { FileDigests } from "../request-key.ts";
import { BatchLog } from "./batch-log.ts";
import { Database } from "./database.ts";
import { entryOf, type LedgerEntry, states } from "./entry.ts";
import { KeptDigests } from "./kept-digests.ts";
import { Pace } from "./pace.ts";
import { type Planned, PlanTable } from "./plan-table.ts";
import { schema } from "./schema.ts";
import type {
  Claim,
  LedgerCounts,
  Reservation,
  Reserved,
  RunLedger,
  Settlement,
  Spending,
} from "./work-ledger.ts";
import { chargeReserved, Workers } from "./workers.ts";

/** Items of one text that are counted: of many more the count itself would take long. */
const mostCounted = 1000;

/**
 * The work of a run in one SQLite file, shared by processes of one machine: what is asked, by whom, what came of it and what
 * it cost. Nothing of it is held in memory. A reply is on the disk when `settle` returns; its item is never claimed again.
 */
export class Ledger implements RunLedger, Disposable {
  readonly path: string;
  /** This process as a worker. */
  readonly owner = processMark();
  readonly pace: Pace;
  /** Batches of the endpoint's that are under way. */
  readonly batches: BatchLog;
  /** Digests of image files. */
  readonly digests: FileDigests;
  readonly #database: Database;
  readonly #workers: Workers;
  /** What this process asks of it. */
  readonly plans: PlanTable;

  /** @throws LlavaError "data" for a file that is no ledger, cannot be written or lies on another machine */
  constructor(path: string) {
    this.path = path;
    this.#database = new Database(path);
    // The log's own place in its folder is on the disk from here on.
    this.#database.exec(schema, { isOnDisk: true });
    this.plans = new PlanTable(this.#database);
    this.pace = new Pace(this.#database);
    this.batches = new BatchLog(this.#database);
    this.digests = new KeptDigests(this.#database);
    this.#workers = new Workers(this.#database, this.owner);
  }

  /** Adds to this process's plan what the ledger does not hold yet. @throws LlavaError "data" for an id that comes twice */
  plan(requests: readonly Planned[]): void {
    this.plans.add(requests);
  }

  /** Lets those of the plan that failed be asked again. */
  retryFailed(): void {
    this.#database.run(
      "update item set state = 'todo', attempts = 0 where state = 'failed' and number in (select item from temp.plan)",
    );
  }

  /** Takes up to `count` items of the plan, those of workers that have died included. */
  claim(count: number, from = 0): Claim[] {
    return this.#database.transaction(() => {
      this.#workers.bury();
      const found = this.#database.all(
        `select number as item, key, sequence, task.task as task from item join temp.plan on plan.item = number
         left join task on task.item = number where state = 'todo' and sequence >= ? order by number limit ?`,
        from,
        count,
      ) as unknown as Claim[];
      this.#database.run(
        "update item set state = 'claimed', owner = ? where number in (select value from json_each(?))",
        this.owner,
        JSON.stringify(found.map(({ item }) => item)),
      );
      return found;
    });
  }

  reserve(requests: readonly Reservation[], cap: number): Reserved {
    return this.#database.transaction(() => {
      const { own } = this.#database.get(
        "select count(*) as own from item where owner = ? and number in (select value from json_each(?))",
        this.owner,
        JSON.stringify(requests.map(({ item }) => item)),
      )!;
      if (Number(own) < requests.length) return "lost";
      const all = requests.reduce((sum, { amount }) => sum + amount, 0);
      if (all === 0) return "reserved";
      const fits = ({ spent, reserved }: Spending): boolean => spent + reserved + all <= cap;
      // What the dead have reserved, nobody gives back.
      if (!fits(this.spending())) this.#workers.bury();
      const spending = this.spending();
      if (!fits(spending)) return spending.reserved > 0 ? "wait" : "exhausted";
      for (const { item, amount } of requests)
        this.#database.run("update item set reserved = reserved + ? where number = ?", amount, item);
      return "reserved";
    });
  }

  /** Gives back what a request had reserved, or charges it in full where nobody saw the bill. */
  release(item: number, { charge }: { readonly charge: boolean }): void {
    this.#database.transaction(() => {
      if (this.#database.get("select owner from item where number = ?", item)?.["owner"] !== this.owner)
        return;
      if (charge) chargeReserved(this.#database, "number = ?", item);
      this.#database.run("update item set reserved = 0 where number = ?", item);
    });
  }

  /** @param owner the batch that had them, if not this worker */
  async settle(replies: readonly Settlement[], owner = this.owner): Promise<number[]> {
    const counts = this.#database.transaction(() => replies.map((reply) => this.#settle(reply, owner)));
    await this.#database.onDisk();
    return counts;
  }

  #settle({ item, reply, cost, attempts }: Settlement, owner: string): number {
    const digest = BigInt.asIntN(64, BigInt(`0x${sha256(reply.text).slice(0, 16)}`));
    const paid =
      cost ??
      Number(
        this.#database.get("select reserved from item where number = ? and owner = ?", item, owner)?.[
          "reserved"
        ] ?? 0,
      );
    if (paid > 0)
      this.#database.run(
        "update spending set spent = spent + ?, unknown = unknown + ?",
        paid,
        cost === undefined ? paid : 0,
      );
    // Another worker that was given the item meanwhile keeps its reservation until it has its own reply.
    const isFirst = this.#database.run(
      `update item set state = 'done', error = null, attempts = ?, text = ?, digest = ?, reason = ?, served = ?,
       usage = ?, cost = ?, reserved = iif(owner = ?9, 0, reserved), owner = iif(owner = ?9, null, owner)
       where number = ?8 and state <> 'done'`,
      attempts,
      reply.text,
      digest,
      reply.reason,
      reply.model ?? null,
      JSON.stringify(reply.usage),
      paid,
      item,
      owner,
    );
    if (isFirst === 0)
      this.#database.run(
        "update item set owner = null, reserved = 0 where number = ? and owner = ?",
        item,
        owner,
      );
    return Number(
      this.#database.get(
        `select count(*) as same from (select 1 from item where digest = ? limit ${mostCounted})`,
        digest,
      )!["same"],
    );
  }

  /** Notes why an item has no reply. */
  fail(item: number, error: string, attempts: number, owner = this.owner): void {
    this.#database.run(
      "update item set state = 'failed', owner = null, reserved = 0, error = ?, attempts = ? where number = ? and state <> 'done' and owner = ?",
      error,
      attempts,
      item,
      owner,
    );
  }

  /** Leaves an item to be claimed again. */
  unclaim(item: number): void {
    this.#database.run(
      "update item set state = 'todo', owner = null where number = ? and state = 'claimed' and owner = ?",
      item,
      this.owner,
    );
  }

  /** Whether items of the plan are with a worker, this one included. */
  isClaimed(): boolean {
    return (
      this.#database.get(
        "select 1 from item join temp.plan on plan.item = number where owner is not null limit 1",
      ) !== undefined
    );
  }

  /** Of this process's plan; of the whole ledger where it has none. */
  counts(): LedgerCounts {
    const sums = states.map((state) => `count(*) filter (where state = '${state}') as ${state}`);
    const counted = this.#database.get(
      // Sums need no order, which groups of a million rows are sorted for.
      `select ${sums} from item ${this.plans.isEmpty ? "" : "join temp.plan on plan.item = number"}`,
    )!;
    return Object.fromEntries(states.map((state) => [state, Number(counted[state])])) as LedgerCounts;
  }

  spending(): Spending {
    const { spent, unknown } = this.#database.get("select spent, unknown from spending")!;
    const { reserved } = this.#database.get(
      "select total(reserved) as reserved from item where reserved > 0",
    )!;
    return { spent: Number(spent), unknown: Number(unknown), reserved: Number(reserved) };
  }

  /** The model that most replies of the plan name. */
  mostServed(): string | undefined {
    const named = "from temp.plan join item on number = plan.item where served is not null";
    const first = this.#database.get(`select served ${named} limit 1`)?.["served"];
    if (first === undefined) return undefined;
    // Nearly always all name one, which takes no order of a million names.
    const { own, all } = this.#database.get(
      `select count(*) filter (where served = ?) as own, count(*) as "all" ${named}`,
      first,
    )!;
    if (2 * Number(own) > Number(all)) return String(first);
    const most = `select served ${named} group by served order by count(*) desc, served limit 1`;
    return String(this.#database.get(most)!["served"]);
  }

  /** The plan in its order, with what came of it, one by one. */
  *entries(from = 0): Generator<LedgerEntry> {
    // Texts that come again are found in the order of the index; one by one they would be all over it.
    this.#database.run(
      "create temp table if not exists repeated (digest integer primary key, same integer not null)",
    );
    this.#database.run(
      `insert or replace into temp.repeated select digest, min(count(*), ${mostCounted}) from item
       where digest is not null group by digest having count(*) > 1`,
    );
    const rows = this.#database.iterate(
      `select sequence, task.task as task, key, id, state, error, attempts, text, reason, served, usage, cost,
       coalesce((select same from temp.repeated where digest = item.digest), 1) as same
       from temp.plan join item on number = plan.item left join task on task.item = number
       where sequence >= ? order by sequence`,
      from,
    );
    for (const row of rows) yield entryOf(row);
  }

  setting(name: string): string | undefined {
    const value = this.#database.get("select value from setting where name = ?", name)?.["value"];
    return value === undefined ? undefined : String(value);
  }

  set(name: string, value: string): void {
    this.#database.run("insert or replace into setting values (?, ?)", name, value);
  }

  /** Ends a batch: what it left without a reply is asked again. Returns how many. */
  endBatch(name: string, { charge }: { readonly charge: boolean }): number {
    return this.#database.transaction(() => {
      if (charge) chargeReserved(this.#database, "owner = ?", name);
      const left = this.#database.run(
        "update item set state = 'todo', owner = null, reserved = 0 where owner = ? and state = 'batched'",
        name,
      );
      this.#database.run("delete from batch where name = ?", name);
      return left;
    });
  }

  /** A sign of life of this worker. */
  renew(): void {
    this.#workers.renew();
  }

  close(): void {
    this.#workers.leave();
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
