import { setTimeout as sleep } from "node:timers/promises";
import { EndpointError } from "../client/index.ts";
import { LlavaError } from "../errors.ts";
import { addUsage, type GenerationRequest, noUsage, type Reply, type Usage } from "../protocol/index.ts";
import type { Store } from "./answer-store.ts";
import type { Answerer } from "./answerer.ts";
import { type Attempted, askUntilAnswered, Patience } from "./attempts.ts";
import { type Question, RequestKeys } from "./request-key.ts";
import type { RetryOptions } from "./retry.ts";
import type { StoredAnswer, StoredFailure, StoredRecord } from "./stored.ts";

export interface RunOptions {
  readonly questions: Iterable<Question> | AsyncIterable<Question>;
  readonly answerer: Answerer;
  /** Answers in it are not asked for again. */
  readonly store: Store;
  readonly retry?: RetryOptions | undefined;
  /** Stops the run; what is finished is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

export interface RunProgress {
  /** Questions answered now. */
  asked: number;
  /** Questions whose answers were in the store. */
  found: number;
  failed: number;
  /** Tokens of all answers, those found included. */
  usage: Usage;
}

export interface RunReport extends RunProgress {
  /** By question. */
  readonly answers: ReadonlyMap<string, StoredAnswer>;
  readonly failures: readonly StoredFailure[];
}

/**
 * Asks what the store lacks. Questions are taken in fixed groups of the answerer's batch size, counted over all of them,
 * and a group's answers are stored together: a run that was killed goes on with the same groups, which makes its answers
 * the same to the last bit as those of a run that was not.
 * @throws LlavaError "aborted" after an abort; at once what no other question could survive either: a wrong key, or that
 * an endpoint gave up on many questions one after the other
 */
export async function runQuestions(options: RunOptions): Promise<RunReport> {
  const { questions, answerer, signal: callers } = options;
  const run = new Run(options);
  const groups = inGroups(questions, answerer.batchSize);
  let stop: { error: unknown } | undefined;
  const work = async (_: unknown, index: number): Promise<void> => {
    try {
      // Not all at once: an endpoint that answers in equal times would get and give everything in bursts.
      if (index > 0) await sleep(index);
      while (!run.signal.aborted) {
        const { value, done } = await groups.next();
        if (done) return;
        await run.answer(value);
      }
    } catch (error) {
      stop ??= { error };
      run.abort();
    }
  };
  await Promise.all(Array.from({ length: answerer.concurrency }, work));
  await groups.return(undefined);
  if (callers?.aborted) throw stopped(run);
  if (stop) throw stop.error;
  return run;
}

const stopped = ({ asked }: RunProgress): LlavaError =>
  new LlavaError("aborted", `stopped; ${asked} new answers are kept`, {
    hint: "The same command goes on from there.",
  });

class Run implements RunReport {
  asked = 0;
  found = 0;
  failed = 0;
  usage: Usage = noUsage;
  readonly answers = new Map<string, StoredAnswer>();
  readonly failures: StoredFailure[] = [];
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #options: RunOptions;
  readonly #keys: RequestKeys;
  readonly #ids = new Set<string>();
  readonly #patience: Patience;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#keys = new RequestKeys(options.answerer);
    this.#patience = new Patience(options.answerer);
    const own = this.#controller.signal;
    this.signal = options.signal ? AbortSignal.any([own, options.signal]) : own;
  }

  abort(): void {
    this.#controller.abort();
  }

  /** Answers the questions of a group that the store lacks, and stores what came of them. */
  async answer(group: readonly Question[]): Promise<void> {
    const { store, onProgress } = this.#options;
    for (const { id } of group) {
      if (this.#ids.has(id)) throw new LlavaError("data", `question ${id} comes twice`);
      this.#ids.add(id);
    }
    const pending = await Promise.all(
      group.map(async (question) => new Pending(question, await this.#key(question))),
    );
    const open: Pending[] = [];
    for (const request of pending) {
      const stored = store.get(request.key);
      if (stored) this.#count(stored, "found");
      else open.push(request);
    }
    const unasked = open.filter(({ reply }) => reply === undefined);
    await askUntilAnswered(unasked, { ...this.#options, signal: this.signal });
    // After an abort some have no reply: they are asked by the next run, the whole batch of a local model with them.
    const records = open.flatMap((request) => request.record(this.#options.answerer.id) ?? []);
    if (records.length < open.length && this.#options.answerer.batchSize > 1) return;
    store.append(records);
    for (const record of records) this.#count(record, "asked");
    if (records.length > 0 || open.length === 0) onProgress?.(this);
    for (const { reply } of open) this.#patience.watch(reply);
  }

  /** The key, or why there is none. */
  async #key(question: Question): Promise<string | LlavaError> {
    try {
      return await this.#keys.of(question);
    } catch (error) {
      if (error instanceof LlavaError) return error;
      throw error;
    }
  }

  #count(record: StoredRecord, how: "asked" | "found"): void {
    if ("error" in record) {
      this.failed++;
      this.failures.push(record);
      return;
    }
    this[how]++;
    this.answers.set(record.id, record);
    this.usage = addUsage(this.usage, record.usage);
  }
}

/** A question on its way. */
class Pending implements Attempted {
  readonly question: Question;
  readonly key: string;
  readonly request: GenerationRequest;
  attempts = 0;
  reply: Reply | undefined;

  constructor(question: Question, key: string | LlavaError) {
    this.question = question;
    this.request = { messages: question.messages, sampling: question.sampling };
    this.key = typeof key === "string" ? key : `unreadable:${question.id}`;
    if (typeof key !== "string") this.reply = key;
  }

  record(model: string): StoredRecord | undefined {
    const { key, question, attempts, reply } = this;
    if (reply === undefined) return undefined;
    const { id, sampling } = question;
    if (!(reply instanceof LlavaError)) {
      const { text, reason, usage, model: served } = reply;
      return { key, id, model, ...(served !== undefined && { served }), text, reason, usage, sampling };
    }
    const status = reply instanceof EndpointError ? reply.status : undefined;
    return { key, id, error: reply.message, ...(status !== undefined && { status }), attempts };
  }
}

async function* inGroups<T>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[], undefined> {
  let group: T[] = [];
  for await (const item of items) {
    if (group.push(item) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
