import type { RunStatus } from "../ledger-view.ts";
import type { Connection } from "./connection.ts";

/** How far all processes of a run are, but for `owner`, who looks. */
export async function statusOf({ query }: Connection, owner: string): Promise<RunStatus> {
  const counted = await query(
    `select case when state <> 'done' then state when trim(text) = '' and reason in ('stop', 'length') then 'empty'
     when reason = 'stop' then 'done' else reason end as name,
     count(*) as count, count(*) filter (where state in ('done', 'failed')) as ended from item group by name`,
  );
  const [workers] = await query(
    "select count(*) as count from worker where until > now() and owner <> $1",
    owner,
  );
  const [spending] = await query(
    "select spent, unknown, greatest(0, reserved) as reserved, (select value from setting where name = 'budget') as budget from spending",
  );
  const sum = (of: "count" | "ended"): number => counted.reduce((all, row) => all + Number(row[of]), 0);
  return {
    items: Object.fromEntries(counted.map(({ name, count }) => [String(name), Number(count)])),
    total: sum("count"),
    ended: sum("ended"),
    workers: Number(workers!["count"]),
    spending: {
      spent: Number(spending!["spent"]),
      unknown: Number(spending!["unknown"]),
      reserved: Number(spending!["reserved"]),
    },
    budget: spending!["budget"] ? Number(spending!["budget"]) : undefined,
  };
}
