import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadCheckpoint } from "../pretrained/index.ts";
import { type BatchRequest, type GenerationResult, userMessage } from "../protocol/index.ts";
import { liveTensors } from "../torch/index.ts";
import { LocalModel } from "./local-model.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/llava/", import.meta.url));
const model = new LocalModel(await loadCheckpoint(`${folder}llama`), { id: "tiny", batchSize: 3 });
after(() => model.dispose());

const image = `${folder}images/wide.png`;
const sampled = { maxTokens: 8, temperature: 1, seed: 3 };
const requests: BatchRequest[] = [
  { messages: [userMessage("What is this?", [image])], sampling: { maxTokens: 6 } },
  { messages: [userMessage("Why?")], sampling: sampled },
  { messages: [userMessage("x".repeat(500))] },
  { messages: [userMessage("Where?", [`${folder}images/nowhere.png`])] },
  { messages: [userMessage("Why?")], sampling: { ...sampled, seed: 4 } },
  { messages: [userMessage("And this?", [image, image])], sampling: { maxTokens: 1 } },
];

async function alone({ messages, sampling }: BatchRequest): Promise<GenerationResult> {
  let text = "";
  for await (const part of model.generate({ messages, ...(sampling && { sampling }) })) {
    if (part.type === "finish") return { text, reason: part.reason, usage: part.usage };
    text += part.text;
  }
  throw new Error("a stream ends with a finish");
}

test("requests of all kinds are answered at once as each is alone, and what cannot be answered takes no other with it", async () => {
  const before = liveTensors();
  const replies = await model.answerAll(requests);
  assert.equal(liveTensors(), before);
  assert.equal(replies.length, requests.length);
  for (const [at, reply] of replies.entries())
    if (reply instanceof Error)
      await assert.rejects(alone(requests[at]!), { code: reply.code, message: reply.message });
    else assert.deepEqual(reply, await alone(requests[at]!));
  assert.deepEqual(
    replies.map((reply) => (reply instanceof Error ? reply.code : reply.usage.completionTokens > 0)),
    [true, true, "prompt", "image", true, true],
  );
});

test("a setting that is none ends the whole call; an abort ends the answers with what they have", async () => {
  const wrong = { ...requests[1]!, sampling: { temperature: -1 } };
  await assert.rejects(model.answerAll([requests[0]!, wrong]), { code: "usage" });
  const misspelt = { ...requests[1]!, sampling: { max_new_tokens: 3 } as object };
  await assert.rejects(model.answerAll([misspelt]), /maxTokens/);
  const replies = await model.answerAll([requests[1]!], AbortSignal.abort());
  assert.deepEqual(
    replies.map((reply) => (reply as GenerationResult).reason),
    ["aborted"],
  );
});

test("a row's own settings count before those of all; a search stands beside drawn answers", async () => {
  const prompt = { messages: [userMessage("Why?")] };
  const outputs = [];
  const rows = [{ prompt }, { prompt, sampling: { maxTokens: 2 } }, { prompt, sampling: { beams: 2 } }];
  for await (const answered of model.answerBatch(rows, { maxTokens: 5, ignoreEos: true }))
    if ("part" in answered && answered.part.type === "finish") outputs[answered.row] = answered.part.output;
  assert.deepEqual(
    outputs.map((output) => [output!.tokenIds.length, output!.score !== undefined]),
    [
      [5, false],
      [2, false],
      [5, true],
    ],
  );
});

test("a model that was disposed of says so", async () => {
  const gone = new LocalModel(await loadCheckpoint(`${folder}llama`), { id: "gone" });
  assert.deepEqual([gone.identity, gone.batchSize], ["gone", 8]);
  gone.dispose();
  await assert.rejects(gone.answerAll([requests[1]!]), /was disposed of/);
});
