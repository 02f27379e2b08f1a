/** As the tables of a ledger in a file; times are the server's, whose clock alone counts. */
export const tables = (schema: string): string => `
create schema if not exists ${schema};
create table if not exists ${schema}.item (
  number bigint generated always as identity primary key,
  key text not null unique,
  id text not null,
  task text,
  state text not null default 'todo',
  owner text,
  reserved float8 not null default 0,
  attempts integer not null default 0,
  error text, text text, digest text, reason text, served text, usage text, cost float8
);
create index if not exists item_todo on ${schema}.item (number) where state = 'todo';
create index if not exists item_owner on ${schema}.item (owner) where owner is not null;
create index if not exists item_digest on ${schema}.item (digest) where digest is not null;
create table if not exists ${schema}.plan (
  name text, sequence bigint, item bigint not null, primary key (name, sequence), unique (name, item)
);
create table if not exists ${schema}.worker (owner text primary key, until timestamptz not null);
create table if not exists ${schema}.setting (name text primary key, value text);
create table if not exists ${schema}.pace (name text primary key, free_at timestamptz not null);
create table if not exists ${schema}.spending (
  one integer primary key check (one = 1), spent float8 not null, unknown float8 not null, reserved float8 not null
);
insert into ${schema}.spending values (1, 0, 0, 0) on conflict do nothing;
`;

/** A schema's name for a run. */
export const schemaOf = (run: string): string =>
  `llava_${run
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .slice(0, 50)}`;
