import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ask, openServer } from "../../../test/support/ask-server.ts";
import { LlavaError } from "../../errors.ts";
import {
  ContextFullError,
  OverloadedError,
  PartError,
  type ServedModel,
  type ServedPart,
} from "../../protocol/index.ts";
import { ModelThread, ThreadModel } from "./index.ts";
import { errorOf, toldOf } from "./told-error.ts";

const quiet = { report: () => {}, warn: () => {} };

async function open() {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("../../../test/support/hosted-model-worker.ts", import.meta.url), {
    workerData: gate.buffer,
  });
  const thread = new ModelThread(worker, quiet);
  const release = (): void => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  return { thread, model: await ThreadModel.open(thread, "hosted"), release };
}

const asked = (words: string) => ({ prompt: { messages: [{ role: "user", content: words } as const] } });

async function partsOf(model: ServedModel, words: string, signal?: AbortSignal): Promise<ServedPart[]> {
  const parts: ServedPart[] = [];
  for await (const part of model.answer({ ...asked(words), ...(signal && { signal }) })) parts.push(part);
  return parts;
}

const textOf = (parts: readonly ServedPart[]): string =>
  parts.map((part) => (part.type === "delta" ? part.text : "")).join("");

suite("a model in a thread", async () => {
  const { thread, model, release } = await open();
  after(async () => {
    release();
    await thread[Symbol.asyncDispose]();
  });

  test("answers, counts tokens and tells where it stands as it would here", async () => {
    assert.deepEqual([model.id, model.contextLength, model.queueLimit], ["hosted", 2048, 3]);
    assert.equal(textOf(await partsOf(model, "hello")), "hello");
    const { ids } = await model.tokens(asked("hello").prompt);
    assert.equal(await model.detokenize(ids), "user: hello\nassistant: ");
    assert.deepEqual(await model.pieces([65]), [Uint8Array.of(65)]);
    const { running, waiting, generatedTokens, stepMilliseconds } = model.state();
    assert.deepEqual([running, waiting, generatedTokens, stepMilliseconds], [0, 0, 5, 0]);
  });

  test("errors keep their class and what they tell", async () => {
    await assert.rejects(partsOf(model, "x".repeat(3000)), ContextFullError);
    await assert.rejects(ThreadModel.open(thread, "none"), /no such model/);
    for (const error of [
      new ContextFullError(5, 3, 4),
      new OverloadedError("too much", 7),
      new PartError(new LlavaError("image", "no image", { hint: "Send one." }), 1, 2),
      new LlavaError("config", "no grammar"),
    ]) {
      const told = errorOf(structuredClone(toldOf(error)));
      assert.equal(told.constructor, error.constructor);
      for (const name of Object.keys(error).filter((key) => key !== "cause"))
        assert.deepEqual(Reflect.get(told, name), Reflect.get(error, name), name);
      assert.equal(told.message, error.message);
    }
  });

  test("while a step holds the thread up, what is too much is refused, who leaves is let go, and health tells", async () => {
    const { url } = await openServer({ limits: { stepSeconds: 0.2 } }, model);
    const stuck = partsOf(model, "wait");
    const leaving = new AbortController();
    const left = partsOf(model, "left", leaving.signal);
    const queued = [partsOf(model, "one"), partsOf(model, "two")];
    const body = { messages: [{ role: "user", content: "too much" }] };
    const refused = await ask(`${url}/v1/chat/completions`, { body });
    assert.equal(refused.status, 503);
    assert.equal(refused.body.error.code, "queue_full");
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    const reason = new Error("gone");
    leaving.abort(reason);
    await assert.rejects(left, reason);
    // Its place is free when the thread has let it go, not before.
    await assert.rejects(partsOf(model, "still too much"), OverloadedError);
    while ((await ask(`${url}/health`)).status === 200) await wait(20);
    assert.equal((await ask(`${url}/live`)).body.status, "stuck");
    release();
    assert.equal(textOf(await stuck), "wait");
    assert.deepEqual((await Promise.all(queued)).map(textOf), ["one", "two"]);
    assert.equal((await ask(`${url}/health`)).status, 200);
    assert.equal(textOf(await partsOf(model, "again")), "again");
  });

  test("who leaves an answer frees its place", async () => {
    const { generatedTokens } = model.state();
    for await (const { type } of model.answer(asked("x".repeat(1000)))) if (type === "delta") break;
    while (model.state().running > 0) await wait(1);
    assert.ok(model.state().generatedTokens < generatedTokens + 1000);
    const before = model.state().generatedTokens;
    const leaving = new AbortController();
    const unread = model.answer({ ...asked("x".repeat(1000)), signal: leaving.signal });
    await unread.next();
    leaving.abort(new Error("gone"));
    while (model.state().running > 0) await wait(1);
    assert.ok(model.state().generatedTokens < before + 1000);
    await unread.return(undefined);
  });

  test("nobody waits for a model that is being opened", { timeout: 20_000 }, async () => {
    const { thread: loading } = await open();
    const leaving = new AbortController();
    const opened = ThreadModel.open(loading, "slow", leaving.signal);
    const reason = new Error("gone");
    leaving.abort(reason);
    await assert.rejects(opened, reason);
    await loading[Symbol.asyncDispose]();
  });

  test("with the thread all fails that it was asked", async () => {
    const other = await open();
    await assert.rejects(partsOf(other.model, "end"), /has ended/);
    await assert.rejects(other.thread.failed, /has ended/);
    await assert.rejects(partsOf(other.model, "again"), /has ended/);
    await other.thread[Symbol.asyncDispose]();
  });
});
