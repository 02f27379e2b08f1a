import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { LlavaError } from "../../errors.ts";

/**
 * An item is a request by its key, once, whoever planned it. States: todo → claimed (by a worker) or batched (by a batch of
 * the endpoint's) → done, with its reply, or failed. What a claim has reserved of the budget stands with it. Keys and texts
 * are found by a part of their hashes: an index of whole ones would be most of the file, and most of the time.
 */
export const schema = `
create table if not exists item (
  number integer primary key,
  key text not null,
  id text not null,
  state text not null default 'todo',
  owner text,
  reserved real not null default 0,
  attempts integer not null default 0,
  error text,
  status integer,
  text text,
  digest integer,
  reason text,
  model text,
  served text,
  usage text,
  cost real
);
create index if not exists item_key on item (substr(key, -16));
create index if not exists item_todo on item (number) where state = 'todo';
create index if not exists item_owner on item (owner) where owner is not null;
create index if not exists item_reserved on item (reserved) where reserved > 0;
create index if not exists item_digest on item (digest) where digest is not null;
create table if not exists task (item integer primary key, task text not null);
create table if not exists worker (owner text primary key, until integer not null) without rowid;
create table if not exists batch (name text primary key, remote text);
create table if not exists image (path text primary key, size integer, changed real, digest text) without rowid;
create table if not exists setting (name text primary key, value text) without rowid;
create table if not exists pace (name text primary key, free_at real not null) without rowid;
create table if not exists spending (one integer primary key check (one = 1), spent real, unknown real);
insert or ignore into spending values (1, 0, 0);
`;

/** Magic numbers of file systems whose locks do not hold between machines, or that have no shared memory. */
const remote = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x0bd00bd0, "Lustre"],
]);

/** @throws LlavaError "data" for a folder on another machine: SQLite's log needs memory that processes share */
export function requireLocal(
  path: string,
  typeOf = (folder: string): number => statfsSync(folder).type,
): void {
  const name = remote.get(typeOf(dirname(path)) >>> 0);
  if (name !== undefined)
    throw new LlavaError("data", `${path}: lies on ${name}, where a ledger cannot be shared safely`, {
      hint: "Put the run's folder on a disk of this machine, and copy what it leaves.",
    });
}
