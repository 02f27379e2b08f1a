import { closeSync, fdatasync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { promisify } from "node:util";
import { LlavaError } from "../../errors.ts";
import { requireLocal } from "./schema.ts";

type Row = Record<string, SQLOutputValue>;

/** Milliseconds that a process waits for others to finish writing. */
const timeout = 60_000;
/** KiB of pages held in memory: an index of a million hashes, into which every row goes elsewhere. */
const cacheKiB = 32 * 1024;
/** Pages of the log before they go to their places: pages that change again and again go there once. */
const logPages = 16 * 1024;

/**
 * An SQLite file that several processes write to. What is committed stays when a process is killed; it is on the disk as
 * well, for when the machine stops, where a transaction says so.
 */
export class Database {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Of the log, in which what is committed stands until it goes to its place. */
  #log: number | undefined;
  #syncing: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;

  /** @throws LlavaError "data", as all its methods, for a file that is none, cannot be written or lies on another machine */
  constructor(path: string) {
    this.path = path;
    try {
      mkdirSync(dirname(path), { recursive: true });
      requireLocal(path);
      this.#database = new DatabaseSync(path, { timeout });
      this.#database.exec(
        `pragma journal_mode = wal; pragma synchronous = normal;
         pragma cache_size = -${cacheKiB}; pragma wal_autocheckpoint = ${logPages}`,
      );
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  close(): void {
    this.#database.close();
    const log = this.#log;
    if (log === undefined) return;
    const closeLog = (): void => closeSync(log);
    void (this.#nextSync ?? this.#syncing ?? Promise.resolve()).then(closeLog, closeLog);
  }

  /**
   * Until all that is committed by now is on the disk, for when the machine stops. Others go on meanwhile, and those who ask
   * while the disk is busy are served together by its next turn.
   */
  async onDisk(): Promise<void> {
    this.#nextSync ??= this.#syncNext();
    await this.#nextSync;
  }

  async #syncNext(): Promise<void> {
    await this.#syncing?.catch(() => {}); // told to those who wait for it
    this.#syncing = this.#nextSync;
    this.#nextSync = undefined;
    try {
      this.#log ??= openSync(`${this.path}-wal`, "r+");
      await promisify(fdatasync)(this.#log);
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  /** Statements without results, together or not at all. */
  exec(statements: string, options: { readonly isOnDisk?: boolean } = {}): void {
    this.transaction(() => this.#database.exec(statements), options);
  }

  /** How many rows it changed. */
  run(text: string, ...values: SQLInputValue[]): number {
    return this.#use(() => Number(this.#prepared(text).run(...values).changes));
  }

  /** The number of the row that it inserts. */
  insert(text: string, ...values: SQLInputValue[]): number {
    return this.#use(() => Number(this.#prepared(text).run(...values).lastInsertRowid));
  }

  get(text: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#use(() => this.#prepared(text).get(...values));
  }

  all(text: string, ...values: SQLInputValue[]): Row[] {
    return this.#use(() => this.#prepared(text).all(...values));
  }

  /** Rows one by one; a statement of its own, so that others may run meanwhile. */
  *iterate(text: string, ...values: SQLInputValue[]): Generator<Row> {
    yield* this.#database.prepare(text).iterate(...values);
  }

  transaction<T>(work: () => T, { isOnDisk = false } = {}): T {
    if (isOnDisk) this.#database.exec("pragma synchronous = full");
    this.#use(() => this.#database.exec("begin immediate"));
    try {
      const result = work();
      this.#database.exec("commit");
      return result;
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw this.#unusable(cause);
    } finally {
      if (isOnDisk) this.#database.exec("pragma synchronous = normal");
    }
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #use<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  #unusable(cause: unknown): LlavaError {
    if (cause instanceof LlavaError) return cause;
    return new LlavaError("data", `${this.path}: cannot be used: ${(cause as Error).message}`, {
      hint: "Check that it is a run's ledger, that its folder may be written and has room.",
      cause,
    });
  }
}
