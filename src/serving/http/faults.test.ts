import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel } from "../../../test/support/fake-served-model.ts";

const user = (content: unknown) => [{ role: "user", content }];
const image = (url: string) => ({ type: "image_url", image_url: { url } });
const text = (words: string) => ({ type: "text", text: words });
const dataUrl = (bytes: Uint8Array): string =>
  `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;

const { url, lines } = await openServer();
const chat = (body: object) => ask(`${url}/v1/chat/completions`, { body });

describe("what is at fault", () => {
  test("each fault is told by the field that it is in", async () => {
    const bad: readonly (readonly [fields: object, param: string | null, code?: string])[] = [
      [{}, "messages"],
      [{ messages: [] }, "messages"],
      [{ messages: "x" }, "messages"],
      [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].role"],
      [{ messages: user(null) }, "messages[0].content"],
      [{ messages: user([{ type: "input_audio", input_audio: {} }]) }, "messages[0].content[0].type"],
      [{ messages: user([{ type: "image_url", image_url: "x" }]) }, "messages[0].content[0].image_url"],
      [
        { messages: user([text("a"), image("file:///etc/passwd")]) },
        "messages[0].content[1]",
        "invalid_image_url",
      ],
      [{ messages: user([image("/etc/passwd")]) }, "messages[0].content[0]", "invalid_image_url"],
      [
        { messages: user([image(dataUrl(Buffer.from("secret words")))]) },
        "messages[0].content[0]",
        "image_decode_failed",
      ],
      [
        { messages: user([image("data:text/plain;base64,AAAA")]) },
        "messages[0].content[0]",
        "invalid_image_url",
      ],
      [
        { messages: user([image("data:image/png;base64,*")]) },
        "messages[0].content[0]",
        "image_decode_failed",
      ],
      [{ messages: user("x"), priority: -1 }, "priority"],
      [{ messages: user("x"), temperature: -1 }, "temperature"],
      [{ messages: user("x"), temperature: "hot" }, "temperature"],
      [{ messages: user("x"), top_p: 0 }, "top_p"],
      [{ messages: user("x"), repetition_penalty: 5e-324 }, "repetition_penalty"],
      [{ messages: user("x"), n: 1000 }, "n"],
      [{ messages: user("x"), max_tokens: 0 }, "max_tokens"],
      [{ messages: user("x"), stop: [""] }, "stop"],
      [{ messages: user("x"), logit_bias: { 999: 1 } }, "logit_bias"],
      [{ messages: user("x"), logit_bias: { a: 1 } }, "logit_bias.a"],
      [{ messages: user("x"), top_logprobs: 2 }, "top_logprobs"],
      [{ messages: user("x"), stream_options: { include_usage: true } }, "stream_options"],
      [{ messages: user("x"), tools: [{ type: "function" }] }, "tools", "unsupported_parameter"],
      [{ messages: user("x"), response_format: { type: "xml" } }, "response_format.type"],
      [{ messages: user("x"), response_format: { type: "json_schema" } }, "response_format.json_schema"],
      [{ messages: user("x"), regex: "a", grammar: "b" }, "grammar"],
      [{ messages: user("x"), regex: "(" }, null],
      [{ messages: user("x"), continue_final_message: true }, "continue_final_message"],
    ];
    for (const [fields, param, code] of bad) {
      const { status, body, text: sent } = await chat(fields);
      const shown = `${JSON.stringify(fields)} → ${sent}`;
      assert.equal(status, 400, shown);
      assert.equal(body.error.type, "invalid_request_error", shown);
      assert.equal(body.error.param, param, shown);
      if (code) assert.equal(body.error.code, code, shown);
      assert.ok(!/secret words|passwd/.test(sent), shown);
    }
  });

  test("unknown models, paths and methods", async () => {
    const unknown = await chat({ model: "gpt", messages: user("x") });
    assert.deepEqual(
      [unknown.status, unknown.body.error.code, unknown.body.error.param],
      [404, "model_not_found", "model"],
    );
    assert.equal((await ask(`${url}/v1/embeddings`, { body: {} })).status, 404);
    const method = await ask(`${url}/v1/chat/completions`);
    assert.deepEqual([method.status, method.headers.allow], [405, "POST"]);
  });

  test("too long a prompt says both numbers; too much waiting says when to come back", async () => {
    const { url: small } = await openServer({}, new FakeServedModel({ contextLength: 20 }));
    const long = await ask(`${small}/v1/chat/completions`, { body: { messages: user("a".repeat(30)) } });
    assert.equal(long.status, 400);
    const { code, n_ctx, n_prompt_tokens } = long.body.error;
    assert.deepEqual({ code, n_ctx }, { code: "context_length_exceeded", n_ctx: 20 });
    assert.ok(n_prompt_tokens > 30);
    const { url: full } = await openServer({}, new FakeServedModel({ queueLimit: 0 }));
    for (const stream of [false, true]) {
      const refused = await ask(`${full}/v1/chat/completions`, { body: { messages: user("x"), stream } });
      assert.deepEqual(
        [refused.status, refused.body.error.code, refused.headers["retry-after"]],
        [503, "queue_full", "3"],
      );
    }
  });

  test("the log has a line for each request and none of its words", async () => {
    await chat({ messages: user("my secret") });
    const line = JSON.parse(lines.at(-1)!);
    assert.equal(line.route, "/v1/chat/completions");
    assert.equal(line.status, 200);
    assert.equal(line.completionTokens, 9);
    assert.ok(!lines.join().includes("secret"));
    const { url: telling, lines: told } = await openServer({ logsContent: true });
    await ask(`${telling}/v1/chat/completions`, { body: { messages: user("my secret") } });
    assert.equal(JSON.parse(told.at(-1)!).answered, "my secret");
  });
});
