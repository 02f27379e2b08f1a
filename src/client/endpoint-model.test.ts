import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as fake from "../../test/support/endpoint.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { LlavaError } from "../errors.ts";
import type { GenerationRequest, StreamPart } from "../protocol/index.ts";
import { EndpointError, EndpointModel, type EndpointModelOptions } from "./index.ts";

const folder = temporaryFolder("llava-client");

const hello: GenerationRequest = { messages: [{ role: "user", content: "Hello" }] };

async function ask(model: EndpointModel, request = hello) {
  const parts: StreamPart[] = [];
  for await (const part of model.generate(request)) parts.push(part);
  const text = parts.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
  return { text, finish: parts.at(-1)! };
}

/** What one request to an endpoint of this behaviour gives. */
async function askFake(
  behaviour: fake.Behaviour,
  options: Partial<EndpointModelOptions> = {},
  request: GenerationRequest = hello,
) {
  await using server = await fake.startEndpoint(() => behaviour);
  const model = new EndpointModel({ url: server.url, model: "m", ...options });
  return { ...(await ask(model, request)), asked: server.asked };
}

async function failure(behaviour: fake.Behaviour, options: Partial<EndpointModelOptions> = {}) {
  const error = await askFake(behaviour, options).then(
    () => assert.fail("was answered"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof EndpointError, String(error));
  assert.equal(error.code, "network");
  return error;
}

describe("a request", () => {
  test("carries messages, images as data URLs, sampling and the key", async () => {
    const png = Buffer.from("89504e470d0a1a0a00", "hex");
    const jpeg = join(folder, "photo.png"); // named wrongly: the bytes decide
    writeFileSync(jpeg, Buffer.from("ffd8ffe000", "hex"));
    const { asked } = await askFake(
      fake.answer("ok"),
      { apiKey: "secret", extraBody: { user: "u" } },
      {
        messages: [
          { role: "system", content: "Be brief." },
          {
            role: "user",
            content: [
              { type: "image", image: jpeg },
              { type: "image", image: png },
              { type: "image", image: "https://example.org/a.png" },
              { type: "text", text: "Compare." },
            ],
          },
        ],
        sampling: { maxTokens: 5, temperature: 0, topP: 0.9, seed: 3, stop: ["\n"], topK: 4 },
      },
    );
    assert.equal(asked[0]!.headers.authorization, "Bearer secret");
    assert.deepEqual(asked[0]!.body, {
      model: "m",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/jpeg;base64,/9j/4AA=" } },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgoA" } },
            { type: "image_url", image_url: { url: "https://example.org/a.png" } },
            { type: "text", text: "Compare." },
          ],
        },
      ],
      max_tokens: 5,
      temperature: 0,
      top_p: 0.9,
      seed: 3,
      stop: ["\n"],
      top_k: 4,
      user: "u",
    });
  });

  test("takes the key from the environment variable it is told, and none where there is none", async () => {
    process.env["LLAVA_TEST_KEY"] = "from the environment";
    const named = await askFake(fake.answer("ok"), { apiKeyVariable: "LLAVA_TEST_KEY" });
    delete process.env["LLAVA_TEST_KEY"];
    const none = await askFake(fake.answer("ok"), { apiKeyVariable: "LLAVA_TEST_KEY" });
    assert.equal(named.asked[0]!.headers.authorization, "Bearer from the environment");
    assert.equal(none.asked[0]!.headers.authorization, undefined);
  });

  test("is refused before it is sent for a video", async () => {
    const model = new EndpointModel({ url: "http://127.0.0.1:9", model: "test" });
    const content = [{ type: "video" as const, video: { path: "cat.mp4" } }];
    await assert.rejects(ask(model, { messages: [{ role: "user", content }] }), {
      name: "LlavaError",
      code: "prompt",
      message: "cat.mp4: is a video, which endpoints are not sent",
    });
  });

  test("is refused before it is sent for an image that is too large, missing or none", async () => {
    const text = join(folder, "notes.txt");
    writeFileSync(text, "not an image");
    const cases: [string, RegExp, number?][] = [
      [text, /notes\.txt: not an image of a known format/],
      [join(folder, "none.png"), /none\.png: cannot be read: ENOENT/],
      [text, /notes\.txt: has 12 bytes; at most 11 are sent/, 11],
    ];
    await using server = await fake.startEndpoint(() => fake.answer("ok"));
    for (const [image, message, maxImageBytes] of cases) {
      const model = new EndpointModel({
        url: server.url,
        model: "m",
        ...(maxImageBytes && { maxImageBytes }),
      });
      const request = { messages: [{ role: "user" as const, content: [{ type: "image" as const, image }] }] };
      await assert.rejects(ask(model, request), (error) => {
        assert.ok(error instanceof LlavaError && error.code === "image");
        return message.test(error.message);
      });
    }
    assert.equal(server.asked.length, 0);
  });
});

test("addresses: a host, its /v1, or all of it", () => {
  const urls = [
    "http://a:1",
    "http://a:1/",
    "http://a:1/v1/",
    "http://a:1/v1/chat/completions",
    "http://a:1/x/v2?k=1",
  ];
  assert.deepEqual(
    urls.map((url) => new EndpointModel({ url, model: "m" }).url),
    [...Array(4).fill("http://a:1/v1/chat/completions"), "http://a:1/x/v2/chat/completions?k=1"],
  );
  for (const url of ["localhost:8000", "ftp://a", "http://me:secret@a", ""])
    assert.throws(() => new EndpointModel({ url, model: "m" }), { code: "usage" });
});

describe("an answer", () => {
  test("comes whole, with reason and usage; it may be empty", async () => {
    const { text, finish } = await askFake(fake.json(fake.completion("Grüße 🙂", "length")));
    assert.equal(text, "Grüße 🙂");
    const usage = { promptTokens: 10, imageTokens: 0, completionTokens: 2 };
    assert.deepEqual(finish, { type: "finish", reason: "length", usage });
    for (const empty of ["", null]) assert.equal((await askFake(fake.json(fake.completion(empty)))).text, "");
    assert.equal((await askFake(fake.json({ choices: [{ message: { content: "x" } }] }))).text, "x");
  });

  for (const eol of ["\n", "\r\n", "\r"])
    test(`comes as events that are cut anywhere, lines ending in ${JSON.stringify(eol)}`, async () => {
      const { text, finish, asked } = await askFake(fake.events(["Grü", "ße ", "🙂"], { eol }), {
        stream: true,
      });
      assert.equal(text, "Grüße 🙂");
      const usage = { promptTokens: 7, imageTokens: 0, completionTokens: 3 };
      assert.deepEqual(finish, { type: "finish", reason: "stop", usage });
      assert.deepEqual(
        [asked[0]!.body["stream"], asked[0]!.body["stream_options"]],
        [true, { include_usage: true }],
      );
    });

  test("of an endpoint that cannot stream comes in one piece", async () => {
    assert.equal((await askFake(fake.answer("whole"), { stream: true })).text, "whole");
  });
});

describe("a failure", () => {
  test("says whether to ask again, and when", async () => {
    const after = await failure(fake.status(429, { "retry-after": "7" }));
    assert.deepEqual(
      [after.status, after.retryAfterMs, after.retryable, after.fatal],
      [429, 7000, true, false],
    );
    const exact = await failure(fake.status(503, { "retry-after-ms": "20", "retry-after": "9" }));
    assert.equal(exact.retryAfterMs, 20);
    const dated = await failure(
      fake.status(429, { "retry-after": new Date(Date.now() + 60_000).toUTCString() }),
    );
    assert.ok(dated.retryAfterMs! > 55_000 && dated.retryAfterMs! <= 60_000);
    for (const [code, retryable, fatal] of [
      [408, true, false],
      [500, true, false],
      [400, false, false],
      [413, false, false],
      [422, false, false],
      [401, false, true],
      [403, false, true],
      [404, false, true],
      [402, false, true],
    ] as const) {
      const error = await failure(fake.status(code));
      assert.deepEqual([error.status, error.retryable, error.fatal], [code, retryable, fatal]);
      assert.match(error.message, new RegExp(`answered ${code}: refused$`));
    }
    const broke = await failure(fake.status(429, {}, "insufficient_quota"));
    assert.deepEqual([broke.retryable, broke.fatal], [false, true]);
  });

  const retryable: Record<string, [fake.Behaviour, RegExp, boolean?]> = {
    "connection cut in the headers": [fake.cutHeaders, /connection failed/],
    "connection cut in the body": [fake.cutBody, /connection failed/],
    "no answer at all": [fake.silence, /did not answer within 0.25 s/],
    "a body that never ends": [fake.stallBody, /did not answer within 0.25 s/],
    garbage: [fake.body("<html>what?"), /no JSON: <html>what\?/],
    "an empty body": [fake.body(""), /an empty body/],
    "no choices": [fake.json({ choices: [] }), /no completion: choices/],
    "another object": [fake.json({ id: 1 }), /no completion: choices/],
    null: [fake.body("null"), /no completion/],
    "an error under status 200": [fake.json({ error: { message: "overloaded" } }), /failed: overloaded/],
    "a stream that ends too early": [fake.events(["a", "b"], { finish: false }), /ended before/, true],
    "a stream of garbage": [fake.body("data: {\n\n", "text/event-stream"), /no JSON/, true],
  };
  for (const [name, [behaviour, message, stream = false]] of Object.entries(retryable))
    test(`worth another try: ${name}`, async () => {
      const waits = behaviour === fake.silence || behaviour === fake.stallBody;
      const error = await failure(behaviour, { stream, ...(waits && { timeoutMs: 250 }) });
      assert.match(error.message, message);
      assert.deepEqual([error.retryable, error.fatal], [true, false]);
    });

  test("worth another try: nobody listens", async () => {
    const server = await fake.startEndpoint(() => fake.silence);
    await server[Symbol.asyncDispose]();
    await assert.rejects(ask(new EndpointModel({ url: server.url, model: "m" })), (error) => {
      assert.ok(error instanceof EndpointError && error.retryable);
      return /ECONNREFUSED/.test(error.message);
    });
  });
});

test("an abort ends the answer with that reason, before and during the request", async () => {
  const aborted = await askFake(fake.silence, {}, { ...hello, signal: AbortSignal.abort() });
  const midway = await askFake(fake.stallBody, {}, { ...hello, signal: AbortSignal.timeout(40) });
  for (const { finish } of [aborted, midway])
    assert.equal(finish.type === "finish" && finish.reason, "aborted");
});

test("only so many requests are under way; the others wait, or end with an abort", async () => {
  let running = 0;
  let most = 0;
  await using server = await fake.startEndpoint(() => async (response, request) => {
    most = Math.max(most, ++running);
    await fake.answer("ok", 150)(response, request);
    running--;
  });
  const model = new EndpointModel({ url: server.url, model: "m", timeoutMs: 20_000, concurrency: 2 });
  const aborted = { ...hello, signal: AbortSignal.timeout(20) };
  const answers = await Promise.all([...Array(5).fill(hello), aborted].map((request) => ask(model, request)));
  assert.deepEqual(
    answers.map(({ finish }) => finish.type === "finish" && finish.reason),
    ["stop", "stop", "stop", "stop", "stop", "aborted"],
  );
  assert.deepEqual([most, server.asked.length], [2, 5]);
});

describe("what is no answer", () => {
  const finished = async (choice: object, usage?: object) =>
    await askFake(fake.json({ choices: [choice], usage }));

  test("is told from one: refusals, filtered and used up answers", async () => {
    const { text, finish } = await finished({
      message: { content: null, refusal: "I can't help with that." },
      finish_reason: "stop",
    });
    assert.equal(text, "I can't help with that.");
    assert.ok(finish.type === "finish" && finish.reason === "refused");
    for (const [name, reason] of [
      ["content_filter", "filtered"],
      ["SAFETY", "filtered"],
      ["refusal", "refused"],
      ["length", "length"],
      ["tool_calls", "stop"],
    ]) {
      const { finish, text } = await finished({ message: { content: null }, finish_reason: name });
      assert.deepEqual([finish.type === "finish" && finish.reason, text], [reason, ""]);
    }
  });

  test("is told in a stream too", async () => {
    const events = [
      { choices: [{ delta: { refusal: "I will " } }] },
      { choices: [{ delta: { refusal: "not." } }] },
      { choices: [{ delta: {}, finish_reason: "stop" }] },
    ];
    const text = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`;
    const refused = await askFake(fake.body(text, "text/event-stream"), { stream: true });
    assert.equal(refused.text, "I will not.");
    assert.ok(refused.finish.type === "finish" && refused.finish.reason === "refused");
  });

  test("may be billed all the same", async () => {
    assert.equal((await failure(fake.status(429))).mayBeBilled, false);
    assert.equal((await failure(fake.status(504))).mayBeBilled, true);
    assert.equal((await failure(fake.cutBody)).mayBeBilled, true);
    const model = new EndpointModel({ url: "http://127.0.0.1:9", model: "m" });
    const error = await ask(model).then(
      () => assert.fail("was answered"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof EndpointError && !error.mayBeBilled);
  });
});

test("cached and reasoning tokens are told", async () => {
  const { finish } = await askFake(
    fake.json({
      choices: [{ message: { content: "ok" }, finish_reason: "stop" }],
      usage: {
        prompt_tokens: 2000,
        completion_tokens: 90,
        prompt_tokens_details: { cached_tokens: 1920 },
        completion_tokens_details: { reasoning_tokens: 64 },
      },
    }),
  );
  assert.deepEqual(finish.type === "finish" && finish.usage, {
    promptTokens: 2000,
    imageTokens: 0,
    completionTokens: 90,
    cachedTokens: 1920,
    reasoningTokens: 64,
  });
});
