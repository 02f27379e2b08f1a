import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { LlavaError } from "../../errors.ts";
import { type Reply, userMessage } from "../../protocol/index.ts";
import { createContext } from "./context.ts";
import { EngineAnswerer } from "./engine-answerer.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/llava");

test("a model in this process answers some at once as one by one, and a request that cannot be answered fails alone", async () => {
  const context = createContext(
    () => ({ update() {}, increment() {}, stop() {} }),
    () => {},
  );
  const { signal } = new AbortController();
  const requests = ["What is it?", "Who?", "Why is it so wide?"].map((question, seed) => ({
    messages: [userMessage(question, [join(fixtures, "images/wide.png")])],
    sampling: { maxTokens: 4, temperature: 1, seed },
  }));
  const missing = { messages: [userMessage("What?", [join(fixtures, "images/none.png")])] };
  const ask = async (batchSize: number): Promise<Reply[]> => {
    await using answerer = await EngineAnswerer.create(
      join(fixtures, "qwen2"),
      { batchSize },
      context,
      signal,
    );
    const replies: Reply[] = [];
    for (let from = 0; from < requests.length; from += batchSize)
      replies.push(...(await answerer.answer(requests.slice(from, from + batchSize), signal)));
    const [failed] = await answerer.answer([missing], signal);
    assert.ok(failed instanceof LlavaError && failed.code === "image");
    return replies;
  };
  const together = await ask(3);
  assert.deepEqual(
    together.map((reply) => !(reply instanceof LlavaError) && reply.usage.completionTokens > 0),
    [true, true, true],
  );
  assert.deepEqual(await ask(1), together);
});
