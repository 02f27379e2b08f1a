import { closeSync, fstatSync, fsync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { LlavaError } from "../errors.ts";
import { linesOf, readStored, type StoredAnswer, type StoredFailure, type StoredRecord } from "./stored.ts";

/** Where a run looks for answers, and puts those that are new. */
export interface Store {
  get(key: string): StoredAnswer | undefined;
  /** Adds what one batch gave. */
  append(records: readonly StoredRecord[]): void;
}

/** Milliseconds in which appended lines gather for one fsync. */
const syncInterval = 200;

/**
 * Answers in a file of JSON lines that is only appended to, by one process at a time. A line is in the file when `append`
 * returns, so that a killed process loses nothing, and on the disk within the fifth of a second. What a kill left half
 * written is cut off on opening: a line without its end, and the lines of a batch that is not complete, so that a batch is
 * answered as a whole or not at all.
 */
export class AnswerStore implements Store {
  readonly path: string;
  readonly #descriptor: number;
  readonly #answers = new Map<string, StoredAnswer>();
  readonly #failures = new Map<string, StoredFailure>();
  #length = 0;
  readonly #closing = new AbortController();
  #syncing: Promise<void> | undefined;
  #syncError: unknown;
  #isDirty = false;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** @throws LlavaError "data", naming file and line, for a file that cannot be used or holds something else */
  static async open(path: string): Promise<AnswerStore> {
    let descriptor: number | undefined;
    try {
      mkdirSync(dirname(path), { recursive: true });
      descriptor = openSync(path, "a");
      const store = new AnswerStore(path, descriptor);
      for await (const { records, end } of readStored(path)) {
        for (const record of records) store.#remember(record);
        store.#length = end;
      }
      if (fstatSync(descriptor).size > store.#length) ftruncateSync(descriptor, store.#length);
      return store;
    } catch (cause) {
      if (descriptor !== undefined) closeSync(descriptor);
      throw unusable(path, "opened", cause);
    }
  }

  get(key: string): StoredAnswer | undefined {
    return this.#answers.get(key);
  }

  answers(): Iterable<StoredAnswer> {
    return this.#answers.values();
  }

  /** The last failure of each question that has no answer since. */
  failures(): Iterable<StoredFailure> {
    return this.#failures.values();
  }

  /** @throws LlavaError "data" if the disk refuses; the file then is as before */
  append(records: readonly StoredRecord[]): void {
    if (records.length === 0) return;
    if (this.#syncError) throw unusable(this.path, "written", this.#syncError);
    const bytes = Buffer.from(linesOf(records));
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done);
    } catch (cause) {
      ftruncateSync(this.#descriptor, this.#length);
      throw unusable(this.path, "written", cause);
    }
    this.#length += bytes.length;
    for (const record of records) this.#remember(record);
    this.#isDirty = true;
    this.#syncing ??= this.#sync();
  }

  /** Waits until everything is on the disk. */
  async close(): Promise<void> {
    this.#closing.abort();
    try {
      while (this.#syncing) await this.#syncing;
      if (this.#syncError) throw unusable(this.path, "written", this.#syncError);
    } finally {
      closeSync(this.#descriptor);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sync(): Promise<void> {
    await sleep(syncInterval, undefined, { signal: this.#closing.signal }).catch(() => {});
    this.#isDirty = false;
    try {
      await promisify(fsync)(this.#descriptor);
    } catch (error) {
      this.#syncError = error;
    }
    this.#syncing = this.#isDirty ? this.#sync() : undefined;
  }

  #remember(record: StoredRecord): void {
    if ("error" in record) {
      this.#failures.set(record.id, record);
      return;
    }
    this.#failures.delete(record.id);
    this.#answers.set(record.key, record);
  }
}

function unusable(path: string, what: string, cause: unknown): LlavaError {
  if (cause instanceof LlavaError) return cause;
  return new LlavaError("data", `${path}: cannot be ${what}: ${(cause as Error).message}`, {
    hint: "Check that the folder may be written and has room.",
    cause,
  });
}
