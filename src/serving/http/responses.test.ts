import assert from "node:assert/strict";
import { describe, test } from "node:test";
import sharp from "sharp";
import { ask, eventsOf, openServer } from "../../../test/support/ask-server.ts";
import { wordsOf } from "../../../test/support/fake-served-model.ts";

const { url, model } = await openServer();
const post = (path: string, body: object) => ask(`${url}${path}`, { body });
const png = await sharp({ create: { width: 6, height: 4, channels: 3, background: "red" } })
  .png()
  .toBuffer();
const image = { type: "image_url", image_url: { url: `data:image/png;base64,${png.toString("base64")}` } };

describe("responses", () => {
  const asked = {
    instructions: "Be short.",
    input: [
      {
        role: "user",
        content: [
          { type: "input_text", text: "Hi" },
          { type: "input_image", image_url: image.image_url.url, detail: "auto" },
        ],
      },
    ],
  };

  test("an answer, and the same in typed events", async () => {
    const { body, status, text } = await post("/v1/responses", asked);
    assert.equal(status, 200, text);
    assert.equal(body.status, "completed");
    assert.equal(body.output[0].content[0].text, "Hi");
    assert.ok(body.usage.input_tokens > body.usage.output_tokens);
    const { prompt } = model.asked.at(-1)!;
    assert.deepEqual("messages" in prompt && prompt.messages.map(({ role }) => role), ["system", "user"]);
    const { text: sent } = await post("/v1/responses", { ...asked, stream: true });
    const events = eventsOf(sent);
    assert.deepEqual(
      events.map(({ type }) => type.replace("response.", "")),
      [
        ...["created", "in_progress", "output_item.added", "content_part.added"],
        ...["output_text.delta", "output_text.delta"],
        ...["output_text.done", "content_part.done", "output_item.done", "completed"],
      ],
    );
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      events.map((_, index) => index),
    );
    const { output, usage } = events.at(-1).response;
    assert.deepEqual(output[0].content, body.output[0].content);
    assert.deepEqual(usage, body.usage);
    for (const event of events) assert.ok(sent.includes(`event: ${event.type}\n`));
  });

  test("what the system says in several messages is one", async () => {
    const said = (role: string, content: string) => ({ role, content });
    const input = [said("developer", "b"), said("system", "c"), said("user", "Hi")];
    await post("/v1/responses", { instructions: "a", input });
    const { prompt } = model.asked.at(-1)!;
    const [first, second] = "messages" in prompt ? prompt.messages : [];
    assert.equal(wordsOf(first), "a\n\nb\n\nc");
    assert.deepEqual([first!.role, second], ["system", said("user", "Hi")]);
  });

  test("a text alone; an answer that is cut; what is not kept", async () => {
    const cut = (await post("/v1/responses", { input: "Hello", max_output_tokens: 2 })).body;
    assert.deepEqual(
      [cut.status, cut.incomplete_details, cut.output[0].content[0].text],
      ["incomplete", { reason: "max_output_tokens" }, "He"],
    );
    const format = { type: "json_schema", name: "a", schema: { type: "object" } };
    await post("/v1/responses", { input: "x", text: { format }, previous_response_id: null, store: true });
    assert.deepEqual(model.asked.at(-1)!.sampling!.constraint, {
      type: "json-schema",
      schema: { type: "object" },
    });
    for (const [fields, param] of [
      [{ previous_response_id: "resp_1" }, "previous_response_id"],
      [{ conversation: "c" }, "conversation"],
      [{ background: true }, "background"],
      [{ input: [] }, "input"],
      [{ input: [{ type: "item_reference", id: "msg_1" }] }, "input[0].role"],
      [
        { input: [{ role: "user", content: [{ type: "input_image", image_url: "/etc/passwd" }] }] },
        "input[0].content[0]",
      ],
    ] as const) {
      const { status, body } = await post("/v1/responses", { input: "x", ...fields });
      assert.deepEqual([status, body.error.param], [400, param], JSON.stringify(fields));
    }
    assert.equal((await ask(`${url}/v1/responses/resp_1`)).body.error.code, "response_not_found");
  });
});
