import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, streamText } from "ai";
import OpenAI from "openai";
import sharp from "sharp";
import { openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel, imageTokens, wordsOf } from "../../../test/support/fake-served-model.ts";
import { EndpointModel } from "../../client/index.ts";
import { userMessage } from "../../protocol/index.ts";

/** Says what it was asked, or JSON where that is wanted. */
const model = new FakeServedModel({
  pace: 1,
  answer: ({ prompt, sampling }) =>
    sampling?.constraint ? '{"a":1}' : "messages" in prompt ? wordsOf(prompt.messages.at(-1)) : "x",
});
const { url } = await openServer({ keys: ["secret"] }, model);
const png = await sharp({ create: { width: 3, height: 3, channels: 3, background: "red" } })
  .png()
  .toBuffer();
const dataUrl = `data:image/png;base64,${png.toString("base64")}`;

describe("openai", () => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "secret" });
  const seen = [
    { type: "image_url" as const, image_url: { url: dataUrl } },
    { type: "text" as const, text: "What is it?" },
  ];

  test("an answer, a stream, a picture, JSON", async () => {
    const messages = [{ role: "user" as const, content: seen }];
    const whole = await client.chat.completions.create({ model: "fake", messages });
    assert.equal(whole.choices[0]!.message.content, "What is it?");
    const stream = client.chat.completions.stream({
      model: "fake",
      messages,
      stream_options: { include_usage: true },
    });
    let text = "";
    stream.on("content", (delta) => {
      text += delta;
    });
    const final = await stream.finalChatCompletion();
    assert.equal(text, "What is it?");
    assert.deepEqual(final.usage, whole.usage);
    const format = { type: "json_schema" as const, json_schema: { name: "a", schema: { type: "object" } } };
    const parsed = await client.chat.completions.parse({ model: "fake", messages, response_format: format });
    assert.equal(parsed.choices[0]!.message.content, '{"a":1}');
    assert.deepEqual(
      (await client.models.list()).data.map(({ id }) => id),
      ["fake"],
    );
    const completion = await client.completions.create({ model: "fake", prompt: "x", max_tokens: 3 });
    assert.equal(completion.choices[0]!.text, "x");
  });

  test("responses, whole and as events", async () => {
    const input = [
      {
        role: "user" as const,
        content: [
          { type: "input_text" as const, text: "Hi" },
          { type: "input_image" as const, image_url: dataUrl, detail: "auto" as const },
        ],
      },
    ];
    const whole = await client.responses.create({ model: "fake", input });
    assert.equal(whole.output_text, "Hi");
    const stream = client.responses.stream({ model: "fake", input });
    const final = await stream.finalResponse();
    assert.equal(final.output_text, "Hi");
    assert.equal(final.usage!.input_tokens, whole.usage!.input_tokens);
  });

  test("errors have their classes, and leaving stops the work", async () => {
    const ask = (apiKey: string, content: string | typeof seen, name = "fake") =>
      new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 }).chat.completions.create({
        model: name,
        messages: [{ role: "user", content }],
      });
    await assert.rejects(ask("wrong", "x"), OpenAI.AuthenticationError);
    await assert.rejects(ask("secret", "x", "other"), OpenAI.NotFoundError);
    await assert.rejects(
      ask("secret", [{ type: "image_url", image_url: { url: "/etc/passwd" } }, seen[1]!]),
      (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        assert.deepEqual([error.code, error.param], ["invalid_image_url", "messages[0].content[0]"]);
        return true;
      },
    );
    const { stopped } = model;
    const stream = await client.chat.completions.create({
      model: "fake",
      stream: true,
      messages: [{ role: "user", content: "x".repeat(500) }],
    });
    for await (const _ of stream) break;
    for (let waited = 0; model.stopped === stopped && waited < 40; waited++)
      await new Promise((resolve) => setTimeout(resolve, 25));
    assert.equal(model.stopped, stopped + 1);
  });

  test("what is refused because too much waits is asked for again when it says", async () => {
    let turns = 0;
    const busy = new FakeServedModel({
      answer: () => "at last",
    });
    const { url: full } = await openServer({}, busy);
    const answer = busy.answer.bind(busy);
    const { OverloadedError } = await import("../../protocol/index.ts");
    busy.answer = async function* (request) {
      if (turns++ === 0) throw new OverloadedError("Too much waits.", 0.01);
      yield* answer(request);
    };
    const said = await new OpenAI({ baseURL: `${full}/v1`, apiKey: "x" }).chat.completions.create({
      model: "fake",
      messages: [{ role: "user", content: "x" }],
    });
    assert.equal(said.choices[0]!.message.content, "at last");
    assert.equal(turns, 2);
  });
});

describe("AI SDK", () => {
  const provider = createOpenAICompatible({
    name: "llava",
    baseURL: `${url}/v1`,
    apiKey: "secret",
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  const messages = [
    {
      role: "user" as const,
      content: [
        { type: "file" as const, data: png, mediaType: "image/png" },
        { type: "text" as const, text: "What is it?" },
      ],
    },
  ];

  test("an answer, a stream, an object", async () => {
    const whole = await generateText({ model: provider("fake"), messages });
    assert.equal(whole.text, "What is it?");
    const stream = streamText({ model: provider("fake"), messages });
    assert.equal(await stream.text, "What is it?");
    assert.equal((await stream.usage).inputTokens, whole.usage.inputTokens);
    assert.ok(whole.usage.inputTokens! > imageTokens);
    const schema = jsonSchema<{ a: number }>({ type: "object", properties: { a: { type: "number" } } });
    const { output } = await generateText({
      model: provider("fake"),
      messages,
      output: Output.object({ schema }),
    });
    assert.deepEqual(output, { a: 1 });
    assert.deepEqual(model.asked.at(-1)!.sampling!.constraint?.type, "json-schema");
  });

  test("an error's message arrives", async () => {
    const other = createOpenAICompatible({ name: "llava", baseURL: `${url}/v1`, apiKey: "wrong" });
    await assert.rejects(
      generateText({ model: other("fake"), messages, maxRetries: 0 }),
      /The key is not known/,
    );
  });
});

test("the project's own client", async () => {
  process.env["FAKE_SERVER_KEY"] = "secret";
  const own = new EndpointModel({ url: `${url}/v1`, model: "fake", apiKeyVariable: "FAKE_SERVER_KEY" });
  let text = "";
  for await (const part of own.generate({
    messages: [userMessage("What is it?", [png])],
    sampling: { maxTokens: 5, temperature: 0, topK: 3 },
  })) {
    if (part.type === "text-delta") text += part.text;
    else assert.deepEqual([part.reason, part.usage.completionTokens, part.model], ["length", 5, "fake"]);
  }
  assert.equal(text, "What ");
  assert.equal(model.asked.at(-1)!.sampling!.topK, 3);
});
