import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import sharp from "sharp";
import { ask, openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel } from "../../../test/support/fake-served-model.ts";
import { startServer } from "../../../test/support/server.ts";

const { url, model, server } = await openServer(
  { isLegacy: true },
  new FakeServedModel({ answer: () => "Ja, ö." }),
);
const post = (path: string, body?: object, at = url) =>
  ask(`${at}${path}`, { method: "POST", ...(body && { body }) });
const objects = (text: string) => {
  assert.ok(text.endsWith("\0"));
  return text
    .slice(0, -1)
    .split("\0")
    .map((object) => JSON.parse(object));
};

/** As gradio_web_server.py asks, with the prompt of a conversation. */
const asked = {
  model: "fake",
  prompt: "A chat. USER: <image>\nWhat is it? ASSISTANT:",
  temperature: 0.2,
  top_p: 0.7,
  max_new_tokens: 512,
  stop: "</s>",
  images: [
    (
      await sharp({ create: { width: 3, height: 3, channels: 3, background: "red" } })
        .png()
        .toBuffer()
    ).toString("base64"),
  ],
};

test("a worker's answer is the prompt and all so far, over and over, each ended by a NUL", async () => {
  const parts = objects((await post("/worker_generate_stream", asked)).text);
  assert.deepEqual(parts.at(-1), { text: `${asked.prompt}Ja, ö.`, error_code: 0 });
  for (const [index, { text, error_code }] of parts.entries()) {
    assert.equal(error_code, 0);
    assert.ok(text.startsWith(index === 0 ? asked.prompt : parts[index - 1].text));
  }
  const { prompt, sampling } = model.asked.at(-1)!;
  assert.ok("raw" in prompt && prompt.images?.length === 1);
  const { seed, ...own } = sampling!;
  assert.ok(seed !== undefined);
  assert.deepEqual(own, {
    temperature: 0.2,
    topP: 0.7,
    topK: 50,
    repetitionPenalty: 1,
    maxTokens: 512,
    stop: ["</s>"],
  });
});

test("failures keep the original's words and say what failed", async () => {
  for (const [change, code, cause] of [
    [{ images: [] }, 1, /images/],
    [{ images: ["AAAA"] }, 1, /images\[0\]/],
    [{ model: "other" }, 2, /no worker/],
    [{ prompt: `<image>${"x".repeat(3000)}` }, 0, /Exceeds max token length/],
  ] as const) {
    const [told] = objects((await post("/worker_generate_stream", { ...asked, ...change })).text);
    assert.equal(told.error_code, code);
    if (code > 0) assert.match(told.text, /NETWORK ERROR DUE TO HIGH TRAFFIC/);
    assert.match(told.text, cause);
  }
});

test("the bytes are framed however they arrive", async () => {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify(asked);
  const request = Buffer.from(
    `POST /worker_generate_stream HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: LLaVA Client\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  for (const byte of request) socket.write(Uint8Array.of(byte));
  await new Promise((resolve) => socket.once("close", resolve));
  assert.match(text, /"text":"A chat\.[^\0]*Ja, ö\.","error_code":0}\0/);
});

test("a controller knows its own models and those of workers that register, and forwards to them", async () => {
  const { body: status } = await post("/worker_get_status");
  assert.deepEqual(status, { model_names: ["fake"], speed: 1, queue_length: 0 });
  const said = Buffer.from(`${JSON.stringify({ text: "x", error_code: 0 })}\0`);
  await using worker = await startServer((request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    if (request.url === "/worker_get_status")
      return void response.end('{"model_names": ["llava-v1.5-7b"], "speed": 1, "queue_length": 2}');
    // One byte at a time, as slow links do.
    for (const byte of said) response.write(Uint8Array.of(byte));
    response.end();
  });
  // As model_worker.py registers.
  const registered = {
    worker_name: worker.url,
    check_heart_beat: true,
    worker_status: { model_names: ["llava-v1.5-7b"], speed: 1, queue_length: 0 },
  };
  assert.deepEqual([(await post("/register_worker", registered)).text], ["null"]);
  assert.deepEqual((await post("/receive_heart_beat", { worker_name: worker.url, queue_length: 1 })).body, {
    exist: true,
  });
  assert.deepEqual(
    (await post("/receive_heart_beat", { worker_name: "http://elsewhere", queue_length: 1 })).body,
    { exist: false },
  );
  assert.deepEqual((await post("/list_models", {})).body, { models: ["fake", "llava-v1.5-7b"] });
  assert.deepEqual((await post("/get_worker_address", { model: "llava-v1.5-7b" })).body, {
    address: worker.url,
  });
  assert.deepEqual((await post("/get_worker_address", { model: "fake" })).body, { address: url });
  assert.deepEqual((await post("/get_worker_address", { model: "none" })).body, { address: "" });
  assert.deepEqual(
    objects((await post("/worker_generate_stream", { ...asked, model: "llava-v1.5-7b" })).text),
    [{ text: "x", error_code: 0 }],
  );
  assert.deepEqual((await post("/worker_get_status")).body, {
    model_names: ["fake", "llava-v1.5-7b"],
    speed: 2,
    queue_length: 2,
  });
  await worker[Symbol.asyncDispose]();
  const [gone] = objects((await post("/worker_generate_stream", { ...asked, model: "llava-v1.5-7b" })).text);
  assert.equal(gone.error_code, 3);
  assert.equal((await post("/refresh_all_workers", {})).text, "null");
  assert.deepEqual((await post("/list_models", {})).body, { models: ["fake"] });
});

test("a worker that says too much of itself is none", async () => {
  const [start, end] = ['{"model_names": ["much"], "speed": 1, "queue_length": 2, "more": "', '"}'];
  await using worker = await startServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(start + "x".repeat(2 << 20) + end);
  });
  await post("/register_worker", { worker_name: worker.url, check_heart_beat: false });
  assert.deepEqual((await post("/list_models", {})).body, { models: ["fake"] });
});

test("a worker registers with a controller", async () => {
  const { url: controller } = await openServer({ isLegacy: true }, new FakeServedModel({ id: "another" }));
  const ending = new AbortController();
  const kept = server.keepRegistered({ controller, report: assert.fail }, ending.signal);
  for (let waited = 0; waited < 50; waited++) {
    const { models } = (await post("/list_models", {}, controller)).body;
    if (models.includes("fake")) break;
    await wait(20);
  }
  assert.deepEqual((await post("/get_worker_address", { model: "fake" }, controller)).body, { address: url });
  ending.abort();
  await kept;
});

test("without the flag there is none of it", async () => {
  const { url: plain } = await openServer();
  assert.equal((await post("/list_models", {}, plain)).status, 404);
});
