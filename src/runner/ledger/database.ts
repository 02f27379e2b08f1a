import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { LlavaError } from "../../errors.ts";
import { requireLocal } from "./schema.ts";

type Row = Record<string, SQLOutputValue>;

/** Milliseconds that a process waits for others to finish writing. */
const timeout = 60_000;

/**
 * An SQLite file that several processes write to. What is committed stays when a process is killed; it is on the disk as
 * well, for when the machine stops, where a transaction says so.
 */
export class Database {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws LlavaError "data", as all its methods, for a file that is none, cannot be written or lies on another machine */
  constructor(path: string) {
    this.path = path;
    try {
      mkdirSync(dirname(path), { recursive: true });
      requireLocal(path);
      this.#database = new DatabaseSync(path, { timeout });
      this.#database.exec("pragma journal_mode = wal; pragma synchronous = normal");
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  close(): void {
    this.#database.close();
  }

  /** Statements without results, together or not at all. */
  exec(statements: string): void {
    this.transaction(() => this.#database.exec(statements));
  }

  /** How many rows it changed. */
  run(text: string, ...values: SQLInputValue[]): number {
    return this.#use(() => Number(this.#prepared(text).run(...values).changes));
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
