import { closeSync, createReadStream, fsync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { LlavaError } from "../../errors.ts";
import type { FinishReason, SamplingOptions, Usage } from "../../protocol/index.ts";

/** An answer as it stands in the store. */
export interface StoredAnswer {
  /** Hash of the request, see `RequestKeys`. */
  readonly key: string;
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly reason: FinishReason;
  readonly usage: Usage;
  readonly sampling: SamplingOptions;
}

/** A request that got no answer; it is asked again by the next run. */
export interface StoredFailure {
  readonly key: string;
  readonly id: string;
  readonly error: string;
  /** HTTP status, where there was one. */
  readonly status?: number | undefined;
  readonly attempts: number;
}

/** A line. `rest`: how many lines of the same batch follow. */
type Line = (StoredAnswer | StoredFailure) & { readonly rest?: number };

/** Milliseconds in which appended lines gather for one fsync. */
const syncInterval = 200;
const newline = 0x0a;

/**
 * Answers in a file of JSON lines that is only appended to. A line is in the file when `append` returns, so that a killed
 * process loses nothing, and on the disk within the fifth of a second. What a kill left half written is cut off on opening:
 * a line without its end, and the lines of a batch that is not complete, so that a batch is answered as a whole or not at all.
 */
export class AnswerStore {
  readonly path: string;
  readonly #descriptor: number;
  readonly #answers = new Map<string, StoredAnswer>();
  readonly #failures = new Map<string, StoredFailure>();
  #length = 0;
  #syncing: Promise<void> | undefined;
  #syncError: unknown;
  #isDirty = false;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** @throws LlavaError "data", naming file and line, for a file that cannot be used or holds something else */
  static async open(path: string): Promise<AnswerStore> {
    try {
      mkdirSync(dirname(path), { recursive: true });
      const store = new AnswerStore(path, openSync(path, "a"));
      try {
        await store.#read();
      } catch (error) {
        closeSync(store.#descriptor);
        throw error;
      }
      return store;
    } catch (cause) {
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

  /** Adds what one batch gave. @throws LlavaError "data" if the disk refuses; the file then is as before */
  append(records: readonly (StoredAnswer | StoredFailure)[]): void {
    if (records.length === 0) return;
    if (this.#syncError) throw unusable(this.path, "written", this.#syncError);
    const last = records.length - 1;
    const lines = records.map((record, index) =>
      JSON.stringify(index < last ? { ...record, rest: last - index } : record),
    );
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
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
    await sleep(syncInterval);
    this.#isDirty = false;
    try {
      await promisify(fsync)(this.#descriptor);
    } catch (error) {
      this.#syncError = error;
    }
    this.#syncing = this.#isDirty ? this.#sync() : undefined;
  }

  #remember(record: StoredAnswer | StoredFailure): void {
    if ("error" in record) {
      this.#failures.set(record.id, record);
      return;
    }
    this.#failures.delete(record.id);
    this.#answers.set(record.key, record);
  }

  async #read(): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    let offset = 0;
    let number = 0;
    let batch: Line[] = [];
    for await (const chunk of createReadStream(this.path) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
        const line = parseLine(bytes.subarray(start, end), `${this.path}:${++number}`);
        start = end + 1;
        batch.push(line);
        if (line.rest !== undefined) continue;
        for (const { rest: _, ...record } of batch) this.#remember(record);
        batch = [];
        this.#length = offset + start;
      }
      offset += start;
      rest = bytes.subarray(start);
    }
    ftruncateSync(this.#descriptor, this.#length);
  }
}

function parseLine(bytes: Buffer, where: string): Line {
  try {
    const line = JSON.parse(bytes.toString("utf8"));
    if (typeof line.key === "string" && typeof line.id === "string" && ("text" in line || "error" in line))
      return line;
  } catch {
    // told below
  }
  throw new LlavaError("data", `${where}: not a stored answer`, {
    hint: "The file is damaged or another one under its name; remove the line to have its question asked again.",
  });
}

function unusable(path: string, what: string, cause: unknown): LlavaError {
  if (cause instanceof LlavaError) return cause;
  return new LlavaError("data", `${path}: cannot be ${what}: ${(cause as Error).message}`, {
    hint: "Check that the folder may be written and has room.",
    cause,
  });
}
