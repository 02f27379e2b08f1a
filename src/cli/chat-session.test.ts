import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../errors.ts";
import type { ChatModel, GenerationRequest, Message, StreamPart } from "../protocol/index.ts";
import { chatSession } from "./chat-session.ts";

const photo = fileURLToPath(new URL("../../test/fixtures/llava/images/wide.png", import.meta.url));
const usage = { promptTokens: 1, imageTokens: 0, completionTokens: 1 };

/** Answers with a number that counts up, and remembers what it was asked. */
class FakeModel implements ChatModel {
  readonly id = "fake";
  readonly asked: (readonly Message[])[] = [];
  async *generate({ messages, signal }: GenerationRequest): AsyncGenerator<StreamPart> {
    this.asked.push(messages);
    const question = JSON.stringify(messages.at(-1)!.content);
    if (question.includes("fail"))
      throw new LlavaError("image", "photo.jpg: damaged", { hint: "get it again" });
    yield { type: "text-delta", text: `answer ${this.asked.length}` };
    if (question.includes("endless")) {
      while (!signal!.aborted) await wait(1);
      yield { type: "finish", reason: "aborted", usage };
    } else yield { type: "finish", reason: "stop", usage };
  }
}

function start({ images = [] as string[], terminal = false } = {}) {
  const [input, output, model] = [new PassThrough(), new PassThrough(), new FakeModel()];
  let shown = "";
  output.on("data", (chunk: Buffer) => {
    shown += chunk;
  });
  const session = chatSession({ model, sampling: {}, images, input, output, terminal });
  const until = async (text: string) => {
    while (!shown.includes(text)) await wait(1);
  };
  return { input, model, session, until, shown: () => shown };
}

const textOf = (message: Message) =>
  typeof message.content === "string"
    ? message.content
    : message.content.map((part) => (part.type === "text" ? part.text : `<${part.image}>`)).join("");

test("turns are remembered with their images, and /reset forgets them", async () => {
  const { input, model, session, shown } = start({ images: ["first.png"] });
  input.end(`What is it?\n${photo} and this?\n/reset\n/image ${photo}\nalone?\n`);
  assert.equal(await session, true);
  assert.deepEqual(
    model.asked.map((messages) => messages.map(textOf)),
    [
      ["<first.png>What is it?"],
      ["<first.png>What is it?", "answer 1", `<${photo}>and this?`],
      [`<${photo}>alone?`],
    ],
  );
  assert.match(
    shown(),
    /^answer 1\nanswer 2\nThe conversation begins anew\.\n1 image for the next question\nanswer 3\n$/,
  );
});

test("a question that fails is told about and forgotten", async () => {
  const { input, model, session, shown } = start();
  input.end("fail\nnext?\n");
  await session;
  assert.match(shown(), /photo\.jpg: damaged\nget it again\nanswer 2/);
  assert.deepEqual(model.asked[1]!.map(textOf), ["next?"]);
});

test("/exit leaves before what follows it", async () => {
  const { input, model, session } = start();
  input.end("/exit\nmore?\n");
  assert.equal(await session, true);
  assert.equal(model.asked.length, 0);
});

test("Ctrl-C stops an answer, which is remembered; at the prompt the second one leaves", async () => {
  const ctrlC = "\u0003";
  const { input, model, session, until } = start({ terminal: true });
  input.write("endless\n");
  await until("answer 1");
  input.write(ctrlC);
  await wait(20);
  input.write("go on\n");
  await until("answer 2");
  assert.deepEqual(model.asked[1]!.map(textOf), ["endless", "answer 1", "go on"]);
  await wait(20);
  input.write(ctrlC);
  await until("Ctrl-C again");
  input.write(ctrlC);
  assert.equal(await session, false);
});

test("a second Ctrl-C while an answer stops leaves at once", async () => {
  const { input, session, until } = start({ terminal: true });
  input.write("endless\n");
  await until("answer 1");
  input.write("\u0003\u0003");
  assert.equal(await session, false);
});
