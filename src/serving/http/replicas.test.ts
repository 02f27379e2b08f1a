import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { ask, eventsOf, openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel } from "../../../test/support/fake-served-model.ts";
import { forwardTo, HttpServer, ReplicaSet } from "./index.ts";

const inner = "inner-key";
const started = await Promise.all(
  [0, 1, 2].map(() => openServer({ keys: [inner], isReplica: true }, new FakeServedModel({ pace: 1 }))),
);
const replicas = new ReplicaSet(3, inner);
for (const [index, { url }] of started.entries()) replicas.all[index]!.url = url;
const { url, lines } = await openServer({ keys: ["outer", "second"], forward: forwardTo(replicas) });
const headers = { authorization: "Bearer outer" };
const post = (body: object, more = {}) =>
  ask(`${url}/v1/chat/completions`, { body, headers: { ...headers, ...more } });
const user = (content: unknown) => ({ role: "user", content });
const asked = () => started.map(({ model }) => model.asked.length);

test("requests with one picture, and turns of one conversation, go to one process; others spread", async () => {
  const pixel =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
  const seen = (words: string) => [
    { type: "image_url", image_url: { url: pixel } },
    { type: "text", text: words },
  ];
  for (const words of ["a", "b", "c", "d"])
    assert.equal((await post({ messages: [user(seen(words))] })).body.choices[0].message.content, words);
  const first = asked();
  assert.deepEqual(first.toSorted(), [0, 0, 4]);
  const turns = [
    user("Hello"),
    { role: "assistant", content: "Hi" },
    user("And?"),
    { role: "assistant", content: "Well" },
    user("So?"),
  ];
  for (const length of [1, 3, 5]) await post({ messages: turns.slice(0, length) });
  assert.deepEqual(
    asked()
      .map((count, at) => count - first[at]!)
      .toSorted(),
    [0, 0, 3],
  );
  for (let turn = 0; turn < 30; turn++) await post({ messages: [user(`question ${turn}`)] });
  for (const [index, count] of asked().entries())
    assert.ok(count > 3, `process ${index} was asked ${count} times`);
});

test("streams, errors and whose request it is go through", async () => {
  const { text } = await post({ messages: [user("abc")], stream: true });
  assert.ok(text.endsWith("data: [DONE]\n\n"));
  assert.equal(
    eventsOf(text)
      .map(({ choices }) => choices[0].delta.content ?? "")
      .join(""),
    "abc",
  );
  const bad = await post({ messages: [user("x")], temperature: -1 });
  assert.deepEqual([bad.status, bad.body.error.param], [400, "temperature"]);
  assert.equal((await post({ messages: [user("x")] }, { authorization: "Bearer inner-key" })).status, 401);
  await post({ messages: [user("owned")] });
  await post({ messages: [user("owned")] }, { authorization: "Bearer second" });
  const owners = started
    .flatMap(({ model }) => model.asked)
    .filter(({ prompt }) => "messages" in prompt && prompt.messages[0]!.content === "owned")
    .map(({ owner }) => owner);
  assert.equal(new Set(owners).size, 2);
  assert.equal(typeof JSON.parse(lines.at(-1)!).replica, "number");
  assert.equal((await ask(`${url}/v1/models`, { headers })).body.data[0].id, "fake");
});

test("a busy process is passed over, and one that is gone too", async () => {
  const words = { messages: [user("the same for all")] };
  const before = asked();
  await Promise.all(Array.from({ length: 9 }, () => post(words)));
  const grown = asked().map((count, at) => count - before[at]!);
  assert.ok(grown.filter((count) => count > 0).length > 1, String(grown));
  await using gone = await HttpServer.listen({ port: 0 });
  const lost = new ReplicaSet(2, inner);
  lost.all[0]!.url = gone.url;
  lost.all[1]!.url = started[1]!.url;
  await gone[Symbol.asyncDispose]();
  const { url: other } = await openServer({ forward: forwardTo(lost) });
  for (let turn = 0; turn < 6; turn++)
    assert.equal(
      (await ask(`${other}/v1/chat/completions`, { body: { messages: [user(`${turn}`)] } })).status,
      200,
    );
});

test("a client that goes takes its work with it", async () => {
  const leaving = new AbortController();
  const stopped = () => started.reduce((sum, { model }) => sum + model.stopped, 0);
  const before = stopped();
  const going = fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ messages: [user("x".repeat(1500))] }),
    signal: leaving.signal,
  });
  await wait(200);
  leaving.abort();
  await assert.rejects(going);
  for (let waited = 0; stopped() === before && waited < 40; waited++) await wait(25);
  assert.equal(stopped(), before + 1);
});

test("what a process answers may end when the server stops, also where nothing of it was sent yet", async () => {
  const front = await HttpServer.listen({ port: 0, forward: forwardTo(replicas) });
  const before = asked().reduce((sum, count) => sum + count);
  const content = "a".repeat(200);
  const answer = ask(`${front.url}/v1/chat/completions`, { body: { messages: [user(content)] } });
  while (asked().reduce((sum, count) => sum + count) === before) await wait(1);
  await front.drain(10_000);
  const { status, body } = await answer;
  assert.equal(status, 200);
  assert.equal(body.choices[0].message.content, content);
});

test("health and metrics are those of all", async () => {
  assert.deepEqual((await ask(`${url}/health`)).body, { status: "ok", replicas: 3, started: 3 });
  const { text } = await ask(`${url}/metrics`, { headers });
  assert.equal(text.match(/^# TYPE llava:generation_tokens_total counter$/gm)?.length, 1);
  for (const replica of [0, 1, 2])
    assert.match(
      text,
      new RegExp(`^llava:generation_tokens_total\\{model_name="fake",replica="${replica}"\\} \\d+$`, "m"),
    );
  const stuck = new ReplicaSet(2, inner, 1);
  for (const replica of stuck.all) Object.assign(replica, { url: started[0]!.url, heard: performance.now() });
  const { url: watched } = await openServer({ forward: forwardTo(stuck) });
  const health = async () => (await ask(`${watched}/health`)).body;
  assert.deepEqual(await health(), { status: "ok", replicas: 2, started: 2 });
  stuck.all[0]!.heard = performance.now() - 1500;
  assert.deepEqual(await health(), { status: "ok", replicas: 2, started: 1 });
  stuck.all[1]!.heard = performance.now() - 1500;
  assert.deepEqual(await health(), { status: "stuck", replicas: 2, started: 0 });
  for (const path of ["/health", "/live", "/v1/models"])
    assert.equal((await ask(`${watched}${path}`)).status, 503);
  const { url: none } = await openServer({ forward: forwardTo(new ReplicaSet(2, inner)) });
  assert.deepEqual(
    [(await ask(`${none}/health`)).status, (await ask(`${none}/v1/models`)).headers["retry-after"]],
    [503, "5"],
  );
});
