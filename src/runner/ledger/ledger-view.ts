import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { LlavaError } from "../../errors.ts";
import type { Spending } from "./work-ledger.ts";

/** How far the processes of a run are. */
export interface RunStatus {
  /** Items by state; those that are done by how their replies ended, or "empty". They sum up to all. */
  readonly items: Readonly<Record<string, number>>;
  readonly total: number;
  /** Done or failed. */
  readonly ended: number;
  /** Processes that gave a sign of life lately. */
  readonly workers: number;
  readonly spending: Spending;
  /** What may be spent, where the run says so. */
  readonly budget: number | undefined;
}

/**
 * Reads a ledger while others work on it, without working on it.
 * @throws LlavaError "data" for a file that is none
 */
export function readStatus(path: string, now = Date.now()): RunStatus {
  if (!existsSync(path))
    throw new LlavaError("data", `${path}: is not there`, {
      hint: "Give a run's folder: the rows' name with .run, or what --run said.",
    });
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
    try {
      return statusOf(database, now);
    } finally {
      database.close();
    }
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read as a ledger: ${(cause as Error).message}`, {
      hint: "Give a run's folder: the rows' name with .run, or what --run said.",
      cause,
    });
  }
}

function statusOf(database: DatabaseSync, now: number): RunStatus {
  const counted = database
    .prepare(
      `select iif(state <> 'done', state, iif(trim(text) = '' and reason in ('stop', 'length'), 'empty', reason)) as name,
       state in ('done', 'failed') as ended, count(*) as count from item group by name, ended`,
    )
    .all();
  const items: Record<string, number> = {};
  let [total, ended] = [0, 0];
  for (const { name, count, ended: isEnded } of counted) {
    // A reply that ended by itself is what is wanted.
    const shown = name === "stop" ? "done" : String(name);
    items[shown] = (items[shown] ?? 0) + Number(count);
    total += Number(count);
    if (isEnded) ended += Number(count);
  }
  const one = (text: string): Record<string, unknown> => database.prepare(text).get() ?? {};
  const { spent, unknown } = one("select spent, unknown from spending");
  const { reserved } = one("select total(reserved) as reserved from item where reserved > 0");
  const { workers } = one(`select count(*) as workers from worker where until > ${now}`);
  const { value } = one("select value from setting where name = 'budget'");
  return {
    items,
    total,
    ended,
    workers: Number(workers),
    spending: { spent: Number(spent), unknown: Number(unknown), reserved: Number(reserved) },
    budget: value === undefined || value === "" ? undefined : Number(value),
  };
}
