import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { ask, openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel } from "../../../test/support/fake-served-model.ts";

const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
describe("who may ask", () => {
  const paths = [
    "/v1/models",
    "/v1/models/fake",
    "/metrics",
    "/openapi.json",
    "/v1/responses/x",
    "/nothing",
    "/v1",
  ];
  const posts = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/v1/chat/completions/input_tokens",
  ];

  test("every path but health and page wants a key", async () => {
    const { url, model } = await openServer({ keys: ["right", "other"] });
    const routes = [
      ...paths.map((path) => [path, "GET"] as const),
      ...posts.map((path) => [path, "POST"] as const),
    ];
    const wrong = [
      {},
      { authorization: "Bearer wrong" },
      { authorization: "Bearer " },
      { authorization: "right" },
      { "x-api-key": "" },
      { authorization: "Bearer right2" },
    ] as Record<string, string>[];
    for (const [path, method] of routes)
      for (const headers of wrong) {
        const { status, body } = await ask(`${url}${path}`, {
          method,
          headers,
          ...(method === "POST" && { body: "{}" }),
        });
        assert.deepEqual([status, body.error.type], [401, "authentication_error"], `${method} ${path}`);
      }
    assert.equal((await ask(`${url}/health`)).status, 200);
    for (const headers of [
      { authorization: "Bearer right" },
      { "x-api-key": "other" },
      { authorization: "bearer other" },
    ] as Record<string, string>[])
      assert.equal((await ask(`${url}/v1/chat/completions`, { body: user("x"), headers })).status, 200);
    const [one, other] = model.asked.map(({ owner }) => owner);
    assert.notEqual(one, other);
    assert.ok(!/right|other/.test(`${one}${other}`));
  });

  test("a browser is not sent to ask on behalf of a stranger's page", async () => {
    const { url } = await openServer({ allowedOrigins: ["https://chat.example"] });
    const { host, port } = new URL(url);
    const status = async (headers: Record<string, string>) =>
      (await ask(`${url}/v1/models`, { headers })).status;
    assert.equal(await status({ host: "evil.example" }), 403);
    assert.equal(await status({ host: `evil.example:${port}` }), 403);
    assert.equal(await status({ host: `127.0.0.1.evil.example:${port}` }), 403);
    assert.equal(await status({ host: `localhost:${port}` }), 200);
    assert.equal(await status({ host: `[::1]:${port}` }), 200);
    assert.equal(await status({ origin: "https://evil.example" }), 403);
    assert.equal(await status({ origin: "null" }), 403);
    assert.equal(await status({ origin: `http://${host}` }), 200);
    const allowed = await ask(`${url}/v1/models`, { headers: { origin: "https://chat.example" } });
    assert.equal(allowed.headers["access-control-allow-origin"], "https://chat.example");
    const before = await ask(`${url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: { origin: "https://chat.example", "access-control-request-method": "POST" },
    });
    assert.deepEqual(
      [before.status, before.headers["access-control-allow-methods"]],
      [204, "GET, POST, OPTIONS"],
    );
    const named = await openServer({ allowedHosts: ["llava.example"] });
    assert.equal((await ask(`${named.url}/health`, { headers: { host: "llava.example" } })).status, 200);
  });
});

describe("ends", () => {
  test("a client that goes takes its work with it, streamed or not", async () => {
    const { url, model, lines } = await openServer({}, new FakeServedModel({ pace: 5 }));
    for (const stream of [true, false]) {
      const { stopped } = model;
      const leaving = new AbortController();
      const asked = fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify({ ...user("x".repeat(1000)), stream }),
        signal: leaving.signal,
      }).then((response) => response.text());
      await wait(100);
      assert.equal(model.state().running, 1);
      leaving.abort();
      await assert.rejects(asked);
      await wait(200);
      assert.equal(model.state().running, 0);
      assert.equal(model.stopped, stopped + 1);
    }
    assert.equal(JSON.parse(lines.at(-1)!).error, "client_closed");
  });

  test("draining: nothing more is taken, what runs ends, what runs too long is told", async () => {
    for (const [graceMs, isWhole] of [
      [5000, true],
      [50, false],
    ] as const) {
      const { server, url } = await openServer({}, new FakeServedModel({ pace: 5 }));
      const words = "x".repeat(60);
      const running = ask(`${url}/v1/chat/completions`, { body: { ...user(words), stream: true } });
      await wait(100);
      const drained = server.drain(graceMs);
      await wait(10);
      await assert.rejects(ask(`${url}/health`));
      const { text } = await running;
      await drained;
      assert.equal(text.endsWith("data: [DONE]\n\n"), isWhole);
      assert.equal(text.includes("shutting_down"), !isWhole);
    }
  });
});
