import assert from "node:assert/strict";
import { describe, test } from "node:test";
import sharp from "sharp";
import { ask, eventsOf, openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel } from "../../../test/support/fake-served-model.ts";
import { HttpServer } from "./index.ts";

const { url } = await openServer();
const post = (path: string, body: object) => ask(`${url}${path}`, { body });
const png = await sharp({ create: { width: 6, height: 4, channels: 3, background: "red" } })
  .png()
  .toBuffer();
const image = { type: "image_url", image_url: { url: `data:image/png;base64,${png.toString("base64")}` } };

describe("completions", () => {
  test("texts and ids, one or several, with n answers each", async () => {
    for (const [prompt, texts] of [
      ["ab", ["ab"]],
      [
        ["ab", "cd"],
        ["ab", "cd"],
      ],
      [[1, 2, 3], ["3 ids"]],
      [
        [[1], [2, 3]],
        ["1 ids", "2 ids"],
      ],
    ] as const) {
      const { body, status } = await post("/v1/completions", { prompt, n: 2 });
      assert.equal(status, 200);
      assert.deepEqual(
        body.choices.map(({ index }: { index: number }) => index),
        texts.flatMap((_, i) => [2 * i, 2 * i + 1]),
      );
      assert.deepEqual(
        body.choices.map(({ text }: { text: string }) => text),
        texts.flatMap((text) => [text, text]),
      );
      const { text: sent } = await post("/v1/completions", {
        prompt,
        n: 2,
        stream: true,
        stream_options: { include_usage: true },
      });
      const events = eventsOf(sent);
      assert.deepEqual(events.at(-1).usage, body.usage);
      const joined = body.choices.map(() => "");
      for (const { choices } of events) for (const { index, text } of choices) joined[index] += text;
      assert.deepEqual(
        joined,
        texts.flatMap((text) => [text, text]),
      );
    }
  });

  test("16 tokens unless it says how many; a stop; an echo; log probabilities", async () => {
    const long = await post("/v1/completions", { prompt: "x".repeat(40) });
    assert.deepEqual([long.body.choices[0].text.length, long.body.choices[0].finish_reason], [16, "length"]);
    assert.equal(
      (await post("/v1/completions", { prompt: "x".repeat(40), max_tokens: -1 })).body.choices[0].text.length,
      40,
    );
    const stopped = (await post("/v1/completions", { prompt: "abc.def", stop: [".", "?"] })).body.choices[0];
    assert.deepEqual([stopped.text, stopped.stop_reason], ["abc", "."]);
    assert.equal(
      (await post("/v1/completions", { prompt: "abc", echo: true })).body.choices[0].text,
      "abcabc",
    );
    const { logprobs } = (await post("/v1/completions", { prompt: "aé", logprobs: 1 })).body.choices[0];
    assert.deepEqual(logprobs.text_offset, [0, 1, 2]);
    assert.deepEqual(logprobs.tokens.length, 3);
    assert.deepEqual(logprobs.top_logprobs[0], { a: -0.5 });
  });

  test("images stand where the text says", async () => {
    const asked = (prompt_string: string, ...multimodal_data: string[]) =>
      post("/v1/completions", { prompt: { prompt_string, multimodal_data } });
    const { status, body } = await asked("What is <image>?", png.toString("base64"));
    assert.equal(status, 200);
    assert.equal(body.usage.prompt_tokens_details.image_tokens, 1);
    assert.equal((await asked("<image>")).body.usage.prompt_tokens_details.image_tokens, 0);
    for (const [text, data, param] of [
      ["What?", png.toString("base64"), "prompt.multimodal_data"],
      ["<image>", "AAAA", "prompt.multimodal_data[0]"],
      ["<image>", "", "prompt.multimodal_data[0]"],
    ] as const) {
      const refused = await asked(text, data);
      assert.deepEqual([refused.status, refused.body.error.param], [400, param], text + data);
    }
  });

  test("what is not offered is refused", async () => {
    for (const [fields, param] of [
      [{}, "prompt"],
      [{ prompt: [] }, "prompt"],
      [{ prompt: [300] }, "prompt"],
      [{ prompt: "a", suffix: "b" }, "suffix"],
      [{ prompt: "a", best_of: 3 }, "best_of"],
      [{ prompt: Array(20).fill("a") }, "prompt"],
      [{ prompt: "a", echo: true, logprobs: 1 }, "echo"],
    ] as const) {
      const { status, body } = await post("/v1/completions", fields);
      assert.deepEqual([status, body.error.param], [400, param], JSON.stringify(fields));
    }
  });
});

describe("tokens", () => {
  const messages = [{ role: "user", content: [image, { type: "text", text: "<image> what?" }] }];

  test("of a conversation with images they are those of its usage", async () => {
    const { body } = await post("/tokenize", { messages });
    const { usage } = (await post("/v1/chat/completions", { messages })).body;
    assert.equal(body.count, usage.prompt_tokens);
    assert.equal(body.tokens.length, body.count);
    assert.equal(
      (await post("/v1/chat/completions/input_tokens", { messages })).body.input_tokens,
      body.count,
    );
    assert.match((await post("/apply-template", { messages })).body.prompt, /^user: <image><image> what\?/);
  });

  test("of a text and back, with pieces of half characters as bytes", async () => {
    const { tokens } = (await post("/tokenize", { content: "aé" })).body;
    assert.equal((await post("/detokenize", { tokens })).body.content, "aé");
    const pieces = (await post("/tokenize", { prompt: "aé", with_pieces: true })).body.tokens;
    assert.deepEqual(pieces, [
      { id: 97, piece: "a" },
      { id: 195, piece: [195] },
      { id: 169, piece: [169] },
    ]);
    assert.deepEqual((await post("/tokenize", { prompt: "a", return_token_strs: true })).body.token_strs, [
      "a",
    ]);
    assert.equal((await post("/detokenize", { tokens: [999] })).body.error.param, "tokens");
    assert.equal((await post("/tokenize", { prompt: "a", messages })).status, 400);
    assert.equal((await post("/apply-template", { prompt: "a" })).body.error.param, "messages");
  });
});

describe("about the server", () => {
  test("models tell what they take, and the limits", async () => {
    const [card] = (await ask(`${url}/v1/models`)).body.data;
    assert.deepEqual(
      [card.id, card.max_model_len, card.capabilities],
      ["fake", 2048, ["completion", "multimodal"]],
    );
    assert.equal(card.limits.bodyBytes, 64 * 2 ** 20);
    assert.deepEqual((await ask(`${url}/v1/models/fake`)).body, card);
    for (const name of ["other", "%E0%A4%A", "%", "a/models/fake"])
      assert.equal((await ask(`${url}/v1/models/${name}`)).status, 404, name);
  });

  test("it is unwell while a model is loaded, where one could not be, and while a step is stuck", async () => {
    await using server = await HttpServer.listen({ port: 0 });
    const health = async (path = "/health") => {
      const { status, body } = await ask(`${server.url}${path}`);
      return [status, body.status];
    };
    assert.deepEqual(await health(), [503, "loading"]);
    const late = Promise.withResolvers<FakeServedModel>();
    const added = server.add("late", late.promise, ["later"]);
    assert.deepEqual(await health(), [503, "loading"]);
    assert.deepEqual(await health("/live"), [200, "ok"]);
    const body = { messages: [{ role: "user", content: "x" }] };
    const early = await ask(`${server.url}/v1/chat/completions`, { body });
    assert.deepEqual(
      [early.status, early.body.error.code, early.headers["retry-after"]],
      [503, "model_loading", "5"],
    );
    const fake = new FakeServedModel();
    late.resolve(fake);
    await added;
    assert.deepEqual(await health(), [200, "ok"]);
    const answered = await ask(`${server.url}/v1/chat/completions`, { body: { ...body, model: "later" } });
    assert.equal(answered.body.model, "later");
    fake.stepMilliseconds = 10_001;
    assert.deepEqual(await health(), [503, "stuck"]);
    assert.deepEqual(await health("/live"), [503, "stuck"]);
    fake.stepMilliseconds = 0;
    await assert.rejects(server.add("bad", Promise.reject(new Error("no file"))), /no file/);
    assert.deepEqual(await health(), [503, "a model could not be loaded"]);
  });

  test("metrics call a model as clients do, not by where it lies", async () => {
    await using server = await HttpServer.listen({ port: 0 });
    await server.add("told", new FakeServedModel({ id: "/home/somebody/model" }));
    const body = { messages: [{ role: "user", content: "x" }] };
    assert.equal((await ask(`${server.url}/v1/chat/completions`, { body })).status, 200);
    const { text } = await ask(`${server.url}/metrics`);
    assert.match(text, /num_requests_running\{model_name="told"\} 0/);
    assert.match(text, /generation_tokens_total\{model_name="told"\} 1/);
    assert.doesNotMatch(text, /somebody/);
  });

  test("metrics count what usages told", async () => {
    const { url: other } = await openServer();
    let [prompt, generated] = [0, 0];
    for (const words of ["a", "bc", "def"]) {
      const { usage } = (
        await ask(`${other}/v1/chat/completions`, {
          body: { n: 2, messages: [{ role: "user", content: words }] },
        })
      ).body;
      prompt += usage.prompt_tokens;
      generated += usage.completion_tokens;
    }
    const { text, headers } = await ask(`${other}/metrics`);
    assert.match(headers["content-type"]!, /version=0\.0\.4/);
    const value = (name: string): number =>
      Number(new RegExp(`^${name.replace(/[{}+]/g, "\\$&")} (.*)$`, "m").exec(text)?.[1]);
    assert.equal(value('llava:prompt_tokens_total{model_name="fake"}'), prompt);
    assert.equal(value('llava:generation_tokens_total{model_name="fake"}'), generated);
    assert.equal(value('llava:request_success_total{model_name="fake",finished_reason="stop"}'), 6);
    assert.equal(value('llava:time_to_first_token_seconds_count{model_name="fake"}'), 6);
    assert.equal(value('llava:time_to_first_token_seconds_bucket{model_name="fake",le="+Inf"}'), 6);
    assert.equal(value('llava:http_requests_total{route="/v1/chat/completions",status="200"}'), 3);
    assert.equal(value('llava:num_requests_running{model_name="fake"}'), 0);
  });

  test("the description names every field that requests are held against", async () => {
    const { body } = await ask(`${url}/openapi.json`);
    const { schema } = body.paths["/v1/chat/completions"].post.requestBody.content["application/json"];
    assert.ok(schema.required.includes("messages"));
    for (const field of ["temperature", "response_format", "logit_bias"])
      assert.ok(field in schema.properties, field);
  });

  test("a page comes under a strict policy, and is not there without files", async () => {
    const file = { type: "text/html; charset=utf-8", bytes: Buffer.from("<p>hi") };
    const { url: paged } = await openServer({ page: new Map([["index.html", file]]), keys: ["k"] });
    const { status, text, headers } = await ask(paged);
    assert.deepEqual([status, text], [200, "<p>hi"]);
    assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
    assert.equal((await ask(`${paged}/page/..%2fsecret`)).status, 404);
    assert.equal((await ask(`${url}/`)).status, 404);
  });
});
