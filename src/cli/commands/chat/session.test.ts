import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../../errors.ts";
import {
  type ChatModel,
  ContextFullError,
  type GenerationRequest,
  type Message,
  type StreamPart,
} from "../../../protocol/index.ts";
import { chatSession } from "./session.ts";

const folder = temporaryFolder("llava-session");
const photo = fileURLToPath(new URL("../../../../test/fixtures/llava/images/wide.png", import.meta.url));
const usage = { promptTokens: 1, imageTokens: 0, completionTokens: 1 };

/** Answers with a number that counts up, and remembers what it was asked. */
class FakeModel implements ChatModel {
  readonly id = "fake";
  /** A token is a letter here, and an image is ten. */
  readonly contextLength: number;
  constructor(contextLength: number) {
    this.contextLength = contextLength;
  }
  readonly asked: (readonly Message[])[] = [];
  async *generate({ messages, signal }: GenerationRequest): AsyncGenerator<StreamPart> {
    this.asked.push(messages);
    const tokens = messages.reduce((sum, { content }) => sum + lengthOf(content), 0);
    if (tokens >= this.contextLength) throw new ContextFullError(tokens, 0, this.contextLength);
    const question = JSON.stringify(messages.at(-1)!.content);
    if (question.includes("fail"))
      throw new LlavaError("image", "photo.jpg: damaged", { hint: "get it again" });
    yield { type: "text-delta", text: `answer ${this.asked.length}` };
    if (question.includes("endless")) {
      while (!signal!.aborted) await wait(1);
      yield { type: "finish", reason: "aborted", usage };
    } else
      yield {
        type: "finish",
        reason: "stop",
        usage: { ...usage, promptTokens: tokens, completionTokens: 8 },
      };
  }
}

const lengthOf = (content: Message["content"]): number =>
  typeof content === "string"
    ? content.length
    : content.reduce((sum, part) => sum + (part.type === "text" ? part.text.length : 10), 0);

function start({
  images = [] as string[],
  terminal = false,
  contextLength = 1e6,
  system = undefined as string | undefined,
} = {}) {
  const [input, output, model] = [new PassThrough(), new PassThrough(), new FakeModel(contextLength)];
  let shown = "";
  output.on("data", (chunk: Buffer) => {
    shown += chunk;
  });
  const session = chatSession({ model, sampling: {}, system, images, input, output, terminal });
  const until = async (text: string) => {
    while (!shown.includes(text)) await wait(1);
  };
  return { input, model, session, until, shown: () => shown };
}

const textOf = (message: Message) =>
  typeof message.content === "string"
    ? message.content
    : message.content
        .map((part) =>
          part.type === "text" ? part.text : part.type === "image" ? `<${part.image}>` : "<video>",
        )
        .join("");

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

const session = async (lines: readonly string[], options = {}) => {
  const { input, model, session: ended, shown } = start(options);
  input.end(`${lines.join("\n")}\n`);
  assert.equal(await ended, true);
  return { asked: model.asked.map((messages) => messages.map(textOf)), shown: shown() };
};

test("a pasted text of several lines is one question, marked as a paste or arriving at once", async () => {
  for (const pasted of ["\u001b[200~one\ntwo\n\nfour\u001b[201~", "one\rtwo\r\rfour"]) {
    const { input, model, session: ended, until } = start({ terminal: true });
    await until("> ");
    input.write(pasted);
    input.write(" what?");
    input.write("\r");
    await until("answer 1");
    input.end();
    await ended;
    assert.deepEqual(
      model.asked.map((messages) => messages.map(textOf)),
      [["one\ntwo\n\nfour what?"]],
    );
  }
});

test("a terminal is told to mark what is pasted, and at the end no longer to", async () => {
  const { input, session: ended, shown } = start({ terminal: true });
  input.end("/exit\r");
  await ended;
  assert.ok(shown().startsWith("\u001b[?2004h") && shown().endsWith("\u001b[?2004l\n"), shown());
});

test("lines go on after a backslash, and between three quotes; the end of the input ends them", async () => {
  const { asked } = await session(["one\\", "two", '"""', "/three", "", 'four"""', '"""five', "six"]);
  assert.deepEqual(
    asked.map((messages) => messages.at(-1)),
    ["one\ntwo", "/three\n\nfour", "five\nsix"],
  );
});

test("a full context leaves out the oldest turns with their images, and says so", async () => {
  const long = "y".repeat(30);
  const { asked, shown } = await session([`${photo} ${long}`, long, long, "short?"], { contextLength: 110 });
  const answered = (n: number) => `answer ${n}`;
  assert.deepEqual(asked.slice(2), [
    [`<${photo}>${long}`, answered(1), long, answered(2), long], // does not fit
    [long, answered(2), long],
    [long, answered(2), long, answered(4), "short?"],
  ]);
  assert.match(
    shown,
    /\(the context is full: the oldest question and answer are left out, and with them 1 image; \/reset/,
  );
});

test("a question that is too long alone names the way out, and nothing is left out for it", async () => {
  const { asked, shown } = await session(["one", "z".repeat(200), "two"], {
    contextLength: 100,
    system: "be",
  });
  assert.match(shown, /context holds 100[\s\S]*Ask in fewer words[\s\S]*\/system/);
  assert.doesNotMatch(shown, /left out/);
  assert.deepEqual(asked.at(-1), ["be", "one", "answer 1", "two"]);
});

test("a mistyped command or image is no question; /text asks a line as it is", async () => {
  const { asked, shown } = await session([
    "/rest",
    "/nonsense a",
    "nosuch.jpg what?",
    "/image nosuch",
    "/text /rest nosuch.jpg",
    "/save",
  ]);
  assert.deepEqual(asked, [["/rest nosuch.jpg"]]);
  assert.match(shown, /unknown command \/rest; did you mean \/reset\?\n\/help lists/);
  assert.match(shown, /unknown command \/nonsense\n/);
  assert.match(shown, /nosuch\.jpg: no such file\n.*\/text asks a line as it is/);
  assert.match(shown, /nosuch: no such file/);
  assert.match(shown, /\/save: there is no FILE/);
});

test("an address is text that is told of, or an image where /image says so", async () => {
  const { asked, shown } = await session([
    "See https://example.com for docs",
    "/image https://example.org/any",
    "What?",
  ]);
  assert.deepEqual(
    asked.map((messages) => messages.at(-1)),
    ["See https://example.com for docs", "<https://example.org/any>What?"],
  );
  assert.match(shown, /\(https:\/\/example\.com stays text; \/image https:/);
});

test("/system sets, shows and takes away what the model is told", async () => {
  const { asked, shown } = await session([
    "/system",
    "/system Be brief.",
    "one",
    "/system",
    "/reset",
    "two",
    '/system ""',
    "three",
  ]);
  assert.deepEqual(asked, [
    ["Be brief.", "one"],
    ["Be brief.", "two"],
    ["two", "answer 2", "three"],
  ]);
  assert.match(shown, /There is no system message\.[\s\S]*The system message is: Be brief\./);
});

test("/save writes the conversation as messages, /load takes it up from anywhere", async () => {
  const file = join(folder, "my talk.json");
  const near = relative(process.cwd(), photo);
  const said = await session([`${near} one`, `/save ${file}`, "two", `/save "${file}"`], { system: "be" });
  assert.match(said.shown, /my talk\.json: 1 question with its answer[\s\S]*2 questions with their answers/);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), [
    { role: "system", content: "be" },
    {
      role: "user",
      content: [
        { type: "image", image: photo },
        { type: "text", text: "one" },
      ],
    },
    { role: "assistant", content: "answer 1" },
    { role: "user", content: [{ type: "text", text: "two" }] },
    { role: "assistant", content: "answer 2" },
  ]);
  assert.deepEqual(readdirSync(folder), ["my talk.json"]);
  const { asked, shown } = await session([`/save ${file}`, `/load ${file}`, "three"]);
  assert.match(shown, /is there already, and not of this conversation/);
  assert.deepEqual(asked, [["be", `<${photo}>one`, "answer 1", "two", "answer 2", "three"]]);
});

test("/load asks what has no answer yet, and changes nothing where it fails", async () => {
  const write = (name: string, content: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  const open = write("open.json", { messages: [{ role: "user", content: "one" }] });
  const bad = [
    write("text.json", "hello"),
    write("role.json", [{ role: "gpt", content: "x" }]),
    write("order.json", [{ role: "assistant", content: "x" }]),
    write("gone.json", [{ role: "user", content: [{ type: "image", image: "gone.png" }] }]),
    join(folder, "nowhere.json"),
  ];
  const { asked, shown } = await session([`/load ${open}`, ...bad.map((path) => `/load ${path}`), "two"]);
  assert.deepEqual(asked, [["one"], ["one", "answer 1", "two"]]);
  for (const told of [
    /text\.json: not valid JSON/,
    /its role is "gpt"/,
    /do not take turns/,
    /gone\.png: no such file/,
    /nowhere\.json: cannot be read/,
  ])
    assert.match(shown, told);
});

test("a question that fails takes its images with it, and says so", async () => {
  const { asked, shown } = await session([`/image ${photo}`, "fail", "next?"]);
  assert.match(shown, /the question and its 1 image are forgotten/);
  assert.deepEqual(asked.at(-1), ["next?"]);
});
