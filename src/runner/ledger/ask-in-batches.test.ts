import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type BatchFate, type FakeBatches, startBatches } from "../../../test/support/fake-batches.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { BatchEndpoint } from "../../client/index.ts";
import { LlavaError } from "../../errors.ts";
import type { GenerationRequest } from "../../protocol/index.ts";
import { Ledger } from "../index.ts";
import { askInBatches, type BatchRun } from "./ask-in-batches.ts";

const folder = temporaryFolder("llava-batches");
let files = 0;
const newPath = (): string => join(folder, `${++files}.sqlite`);
const price = { input: 1000, output: 2000 };
/** Ten tokens and two, at half the price. */
const cost = 0.007;

const requestAt = (sequence: number): GenerationRequest => ({
  messages: [{ role: "user", content: `What is ${sequence}?` }],
  sampling: { maxTokens: 10 },
});

async function ask(server: FakeBatches, path: string, options: Partial<BatchRun> = {}, count = 20) {
  const notes: string[] = [];
  using ledger = new Ledger(path);
  ledger.plan(Array.from({ length: count }, (_, number) => ({ key: `key${number}`, id: `q${number}` })));
  const endpoint = new BatchEndpoint({ url: server.url, model: "m" });
  const run = { ledger, endpoint, requestAt, price, pollMs: 1, onNote: (note: string) => notes.push(note) };
  const error = await askInBatches({ ...run, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined && !(error instanceof LlavaError)) throw error;
  return {
    error,
    notes,
    counts: ledger.counts(),
    spending: ledger.spending(),
    entries: [...ledger.entries()],
  };
}

/** What becomes of batches when the first ones meet these fates. */
async function askFated(fates: readonly BatchFate[], options: Partial<BatchRun> = {}) {
  await using server = await startBatches((order) => fates[order] ?? "complete");
  const asked = await ask(server, newPath(), options);
  return { ...asked, batches: server.batches, most: Math.max(...server.answered.values()) };
}

describe("batches", () => {
  test("answer everything once, at half the price, in whatever order", async () => {
    const { error, entries, spending, batches, most } = await askFated(["shuffled"]);
    assert.equal(error, undefined);
    assert.deepEqual(
      entries.map(({ reply }) => reply?.text),
      Array.from({ length: 20 }, (_, number) => `What is ${number}?!`),
    );
    assert.ok(Math.abs(spending.spent - 20 * cost) < 1e-9);
    assert.deepEqual([batches.length, most, spending.reserved], [1, 1, 0]);
  });

  test("stay within the limits of a file", async () => {
    const { batches, counts } = await askFated([], { room: { requests: 6 } });
    assert.deepEqual(
      batches.map(({ length }) => length),
      [6, 6, 6, 2],
    );
    assert.equal(counts.done, 20);
    const { batches: small } = await askFated([], { room: { bytes: 700 } });
    assert.ok(small.length > 4 && small.every(({ length }) => length * 130 < 700));
    const { batches: waiting } = await askFated([], { room: { tokens: 50 } });
    assert.equal(waiting.length, 4);
  });

  test("that expire keep what was answered, and send the rest again", async () => {
    const { counts, batches, most, notes } = await askFated(["expired"]);
    assert.deepEqual(
      batches.map(({ length }) => length),
      [20, 10],
    );
    assert.deepEqual([counts.done, most], [20, 1]);
    assert.match(notes.join(), /expired; 10 of its requests are sent again/);
  });

  test("that vanish are sent again, charged in full, and told once", async () => {
    const { counts, batches, notes, spending } = await askFated(["vanished"]);
    assert.deepEqual([counts.done, batches.length, notes.length], [20, 2, 1]);
    assert.ok(spending.unknown > 20 * cost);
  });

  test("with failures alone are failures with their reasons", async () => {
    const { counts, entries, spending } = await askFated(["errors-only"]);
    assert.deepEqual([counts.failed, spending.reserved, spending.spent], [20, 0, 0]);
    assert.match(entries[0]!.error!, /400/);
  });

  test("that are too many for an account follow one by one", async () => {
    const { counts, notes } = await askFated(["token-limit"]);
    assert.deepEqual([counts.done, notes.length], [20, 1]);
  });

  test("that are refused are told with the line", async () => {
    const { error, counts } = await askFated(["invalid"]);
    assert.match(error!.message, /line 1: invalid_json_line/);
    assert.equal(counts.todo, 20);
  });

  test("are never sent beyond the budget", async () => {
    const { error, counts, spending } = await askFated([], { budget: 0.1 });
    assert.equal(error?.code, "budget");
    assert.ok(spending.spent <= 0.1 && counts.done > 0 && counts.done < 20);
  });

  test("of a process that was killed between sending and noting are found again", async () => {
    const path = newPath();
    await using server = await startBatches(() => "complete");
    const endpoint = new BatchEndpoint({ url: server.url, model: "m" });
    const submit = endpoint.submit.bind(endpoint);
    endpoint.submit = async (...sent) => {
      await submit(...sent);
      throw new LlavaError("aborted", "killed");
    };
    assert.equal((await ask(server, path, { endpoint })).error?.code, "aborted");
    assert.equal(server.batches.length, 1);
    const { counts } = await ask(server, path);
    assert.deepEqual([counts.done, server.batches.length], [20, 1]);
  });
});
