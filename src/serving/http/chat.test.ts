import assert from "node:assert/strict";
import { describe, test } from "node:test";
import sharp from "sharp";
import { ask, eventsOf, openServer } from "../../../test/support/ask-server.ts";
import { imageTokens } from "../../../test/support/fake-served-model.ts";
import { startServer } from "../../../test/support/server.ts";

const png = async (width = 6, height = 4): Promise<Buffer> =>
  await sharp({ create: { width, height, channels: 3, background: "#123456" } })
    .png()
    .toBuffer();
const dataUrl = (bytes: Uint8Array, type = "image/png"): string =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
const user = (content: unknown) => [{ role: "user", content }];
const image = (url: string) => ({ type: "image_url", image_url: { url } });
const text = (words: string) => ({ type: "text", text: words });

const { url, model } = await openServer();
const chat = (body: object) => ask(`${url}/v1/chat/completions`, { body });

describe("chat completions", () => {
  test("an answer has the shape that OpenAI's clients read", async () => {
    const { status, body, headers } = await chat({ model: "fake", messages: user("Hello") });
    assert.equal(status, 200);
    assert.match(body.id, /^chatcmpl-/);
    assert.equal(body.object, "chat.completion");
    assert.deepEqual(body.choices, [
      {
        index: 0,
        message: { role: "assistant", content: "Hello", refusal: null },
        logprobs: null,
        finish_reason: "stop",
        stop_reason: null,
      },
    ]);
    assert.equal(body.usage.completion_tokens, 5);
    assert.equal(body.usage.total_tokens, body.usage.prompt_tokens + 5);
    assert.ok(headers["x-request-id"]);
  });

  test("a stream is the same answer in pieces, then its usage, then its end", async () => {
    const asked = { messages: user("Grüße 🙂"), n: 2, logprobs: true, top_logprobs: 2 };
    const { body: whole } = await chat(asked);
    const { text: sent, headers } = await chat({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    assert.match(headers["content-type"]!, /^text\/event-stream/);
    assert.ok(sent.endsWith("data: [DONE]\n\n"));
    const events = eventsOf(sent);
    const last = events.pop();
    assert.deepEqual(last.choices, []);
    assert.deepEqual(last.usage, whole.usage);
    for (const event of events) assert.equal(event.usage, null);
    for (const choice of whole.choices) {
      const own = events.flatMap(({ choices }) =>
        choices.filter(({ index }: { index: number }) => index === choice.index),
      );
      assert.deepEqual(own[0].delta, { role: "assistant", content: "" });
      assert.equal(own.map(({ delta }) => delta.content ?? "").join(""), choice.message.content);
      assert.ok(!own.some(({ delta }) => delta.content?.includes("\ufffd")));
      assert.equal(own.at(-1).finish_reason, "stop");
      const logprobs = own.flatMap((each) => each.logprobs?.content ?? []);
      assert.deepEqual(logprobs, choice.logprobs.content);
      assert.equal(Buffer.from(logprobs.flatMap(({ bytes }) => bytes)).toString(), choice.message.content);
    }
  });

  test("images are bytes in their places, by data: and by http:, and count the same", async () => {
    const bytes = await png();
    await using pictures = await startServer((_, response) => void response.end(bytes));
    const { url: open } = await openServer({ allowPrivate: true });
    const parts = (source: string) => [text("a"), image(source), text("b"), image(source)];
    const ofData = await chat({ messages: user(parts(dataUrl(bytes))) });
    const given = model.asked.at(-1)!.prompt;
    assert.ok("messages" in given);
    const content = given.messages[0]!.content as { type: string; image: Uint8Array }[];
    assert.deepEqual(
      content.map(({ type }) => type),
      ["text", "image", "text", "image"],
    );
    assert.deepEqual(Buffer.from(content[1]!.image), bytes);
    assert.equal(ofData.body.usage.prompt_tokens_details.image_tokens, 2 * imageTokens);
    const byAddress = await ask(`${open}/v1/chat/completions`, {
      body: { messages: user(parts(`${pictures.url}/a.png`)) },
    });
    assert.deepEqual(byAddress.body.usage, ofData.body.usage);
  });

  test("of an image's detail the model is told where it is low", async () => {
    const { url } = image(dataUrl(await png())).image_url;
    const seen = ["low", "high", "original", "auto", null].map((detail) => ({
      type: "image_url",
      image_url: { url, detail },
    }));
    assert.equal((await chat({ messages: user(seen) })).status, 200);
    const { prompt } = model.asked.at(-1)!;
    assert.ok("messages" in prompt);
    const content = prompt.messages[0]!.content as readonly { readonly detail?: string }[];
    assert.deepEqual(
      content.map(({ detail }) => detail),
      ["low", undefined, undefined, undefined, undefined],
    );
    const odd = await chat({ messages: user([{ type: "image_url", image_url: { url, detail: "tiny" } }]) });
    assert.equal(odd.status, 400);
  });

  test("videos come as frames and as animations", async () => {
    const jpeg = await sharp(await png())
      .jpeg()
      .toBuffer();
    const frames = `data:video/jpeg;base64,${[jpeg, jpeg, jpeg].map((frame) => frame.toString("base64")).join(",")}`;
    const video = (source: string) =>
      user([{ type: "video_url", video_url: { url: source } }, text("what?")]);
    const listed = await chat({ messages: video(frames) });
    assert.equal(listed.body.usage.prompt_tokens_details.image_tokens, 3);
    const gif = await sharp(
      [
        await png(),
        await sharp(await png())
          .negate()
          .toBuffer(),
      ],
      { join: { animated: true } },
    )
      .gif()
      .toBuffer();
    const animated = await chat({
      messages: video(dataUrl(gif, "image/gif")),
      media_io_kwargs: { video: { num_frames: 8 } },
    });
    assert.equal(animated.body.usage?.prompt_tokens_details.image_tokens, 2, animated.text);
    const asked = model.asked.at(-1)!.prompt;
    assert.deepEqual("messages" in asked && [asked.frames, asked.mostFrames], [8, 8]);
    await chat({ messages: video(dataUrl(gif, "image/gif")) });
    const own = model.asked.at(-1)!.prompt;
    assert.deepEqual("messages" in own && [own.frames, own.mostFrames], [undefined, 128]);
    const wrong = await chat({
      messages: video(dataUrl(Buffer.from("#EXTM3U\nfile:///etc/passwd"), "video/mp4")),
    });
    assert.deepEqual([wrong.status, wrong.body.error.code], [400, "video_decode_failed"]);
  });

  test("sampling arrives under its own names", async () => {
    await chat({
      messages: user("x"),
      ...{
        temperature: 0.5,
        top_p: 0.9,
        top_k: 7,
        min_p: 0.1,
        repetition_penalty: 1.1,
        presence_penalty: 1,
        frequency_penalty: -1,
      },
      ...{
        seed: 5,
        stop: "z",
        stop_token_ids: [3],
        min_tokens: 2,
        ignore_eos: true,
        logit_bias: { 12: -100 },
        max_tokens: 9,
      },
      ...{ max_completion_tokens: 8, n: 2, cache_salt: "s", priority: 3 },
    });
    const { sampling, choices, salt, priority, owner } = model.asked.at(-1)!;
    assert.deepEqual(sampling, {
      ...{
        temperature: 0.5,
        topP: 0.9,
        topK: 7,
        minP: 0.1,
        repetitionPenalty: 1.1,
        presencePenalty: 1,
        frequencyPenalty: -1,
      },
      ...{
        seed: 5,
        stop: ["z"],
        stopIds: [3],
        minTokens: 2,
        ignoreEos: true,
        logitBias: new Map([[12, -100]]),
        maxTokens: 8,
      },
    });
    assert.deepEqual({ choices, salt, priority }, { choices: 2, salt: "s", priority: 3 });
    assert.ok(owner);
    await chat({ messages: user("x") });
    await chat({
      messages: user("x"),
      temperature: null,
      stop: null,
      tools: [],
      tool_choice: "none",
      store: true,
      metadata: {},
    });
    const seeds = model.asked.slice(-2).map((request) => request.sampling!.seed);
    assert.notEqual(seeds[0], seeds[1]);
    assert.equal(model.asked.at(-1)!.sampling!.temperature, 1);
  });

  test("constraints arrive, by every name they have", async () => {
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const asked = async (fields: object) => {
      const { status, text: told } = await chat({ messages: user("x"), ...fields });
      assert.equal(status, 200, told);
      return model.asked.at(-1)!.sampling!.constraint;
    };
    const ofSchema = { type: "json-schema", schema };
    assert.deepEqual(await asked({ response_format: { type: "text" } }), undefined);
    assert.deepEqual(await asked({ response_format: { type: "json_object" } }), { type: "json" });
    const format = { type: "json_schema", json_schema: { name: "a", strict: true, schema } };
    assert.deepEqual(await asked({ response_format: format }), ofSchema);
    assert.deepEqual(await asked({ response_format: { type: "json_object", schema } }), ofSchema);
    assert.deepEqual(await asked({ structured_outputs: { json: JSON.stringify(schema) } }), ofSchema);
    assert.deepEqual(await asked({ structured_outputs: { choice: ["a.b", "c"] } }), {
      type: "regex",
      pattern: "a\\.b|c",
    });
    assert.deepEqual(await asked({ regex: "a+" }), { type: "regex", pattern: "a+" });
    assert.deepEqual(await asked({ grammar: 'start: "a"' }), { type: "grammar", grammar: 'start: "a"' });
  });

  test("the last message is gone on with where that is asked for", async () => {
    const messages = [...user("x"), { role: "assistant", content: "I" }];
    assert.equal(
      (await chat({ messages, continue_final_message: true, add_generation_prompt: false })).status,
      200,
    );
    const { prompt } = model.asked.at(-1)!;
    assert.ok("messages" in prompt && prompt.continuesFinal);
  });
});
