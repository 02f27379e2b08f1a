/**
 * Has clients that people use ask `llava serve`: LangChain's and the AI SDK's of OpenAI, each by chat completions and by responses,
 * and OpenAI's for Python. A text, a picture by data: and by http:, a stream, JSON of a schema, leaving, and errors. They are
 * installed into a temporary folder by npm and pip; those that the tests have anyway are in src/serving/http/clients.test.ts.
 *   node proofs/check-clients.ts [--python PYTHON]
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { pythonWith } from "../test/support/python-packages.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import { startServing } from "../test/support/serving-process.ts";

const packages = {
  "@langchain/openai": "1.6.0",
  "@langchain/core": "1.4.0",
  ai: "7.0.173",
  "@ai-sdk/openai": "4.0.118",
};
const python = ["openai==3.57.0"];

const { values: flags } = parseArgs({ options: { python: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "llava-clients-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: packages }));
execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent"], { cwd: folder, stdio: "inherit" });
const load = createRequire(join(folder, "package.json"));

const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: "teal" } })
  .png()
  .toBuffer();
const picture = join(folder, "picture.png");
writeFileSync(picture, png);
const images = createServer((_, response) =>
  response.writeHead(200, { "content-type": "image/png" }).end(png),
);
await once(images.listen(0, "127.0.0.1"), "listening");
const imageUrl = `http://127.0.0.1:${(images.address() as AddressInfo).port}/picture.png`;

// Drawn so that its likeliest tokens do not end an answer.
const model = writeRandomCheckpoint(join(folder, "llava"), 3);
using server = await startServing([model, "--no-log", "--key", "key", "--allow-private"]);
const baseURL = `${server.url}/v1`;
const schema = {
  title: "seen",
  type: "object",
  properties: { kind: { enum: ["photo", "drawing"] }, sharp: { type: "boolean" } },
  required: ["kind", "sharp"],
  additionalProperties: false,
};
const isSeen = (value: unknown): void => {
  const { kind, sharp: isSharp } = value as { kind: unknown; sharp: unknown };
  assert.ok(["photo", "drawing"].includes(kind as string) && typeof isSharp === "boolean");
};

interface Said {
  readonly text: string;
  readonly promptTokens: number;
}

/** What each client is asked for, in its own words. */
interface Client {
  readonly name: string;
  /** @param image bytes or an address */
  ask(text: string, image?: Uint8Array | string): Promise<Said>;
  stream(text: string, image?: Uint8Array | string): Promise<Said>;
  /** After what the system says: asks, then asks again in the same conversation. */
  again(system: string, first: string, second: string): Promise<Said>;
  object(text: string, image: Uint8Array): Promise<unknown>;
  /** Begins a long answer, leaves it after its first part. */
  leave(): Promise<void>;
  /** The status of the error that a key, a model or a picture brings. */
  status(wrong: { key?: string; model?: string; image?: string }): Promise<number>;
}

const tokens = 12;
const long = 1500;
const dataUrl = (image: Uint8Array): string =>
  `data:image/png;base64,${Buffer.from(image).toString("base64")}`;

function langchain(useResponsesApi: boolean): Client {
  const { ChatOpenAI } = load("@langchain/openai");
  const { HumanMessage, SystemMessage } = load("@langchain/core/messages");
  const chat = (maxTokens: number, apiKey = "key", model = "llava") =>
    new ChatOpenAI({
      ...{ model, apiKey, maxTokens, useResponsesApi, temperature: 0, maxRetries: 0 },
      configuration: { baseURL },
    });
  const message = (text: string, image?: Uint8Array | string) => {
    const url = image instanceof Uint8Array ? dataUrl(image) : image;
    const seen = url === undefined ? [] : [{ type: "image_url", image_url: { url } }];
    return [new HumanMessage({ content: [{ type: "text", text }, ...seen] })];
  };
  const said = (answer: { text: string; usage_metadata: { input_tokens: number } }): Said => ({
    text: answer.text,
    promptTokens: answer.usage_metadata.input_tokens,
  });
  return {
    name: `@langchain/openai ${packages["@langchain/openai"]} (${useResponsesApi ? "responses" : "chat"})`,
    ask: async (text, image) => said(await chat(tokens).invoke(message(text, image))),
    async stream(text, image) {
      let whole: { concat(part: unknown): unknown } | undefined;
      for await (const part of await chat(tokens).stream(message(text, image)))
        whole = (whole === undefined ? part : whole.concat(part)) as typeof whole;
      return said(whole as never);
    },
    async again(system, first, second) {
      const asked = [new SystemMessage(system), ...message(first)];
      const answer = await chat(tokens).invoke(asked);
      return said(await chat(tokens).invoke([...asked, answer, ...message(second)]));
    },
    object: async (text, image) =>
      await chat(100).withStructuredOutput(schema, { method: "jsonSchema" }).invoke(message(text, image)),
    async leave() {
      for await (const _ of await chat(long).stream(message("Hi"))) return;
    },
    async status({ key, model, image }) {
      const asked = chat(tokens, key, model).invoke(message("Hi", image));
      return await asked.then(
        () => 200,
        (error: { status: number }) => error.status,
      );
    },
  };
}

function aiSdk(route: "chat" | "responses"): Client {
  const { createOpenAI } = load("@ai-sdk/openai");
  const { generateText, streamText, Output, jsonSchema, APICallError } = load("ai");
  const request = (text: string, image?: Uint8Array | string, key = "key", model = "llava") => {
    const data = typeof image === "string" && !image.startsWith("data:") ? new URL(image) : image;
    const seen = data === undefined ? [] : [{ type: "file", data, mediaType: "image/png" }];
    return {
      model: createOpenAI({ baseURL, apiKey: key })[route](model),
      ...{ temperature: 0, maxOutputTokens: tokens, maxRetries: 0 },
      // Otherwise later turns refer to answers that the server would have to keep.
      providerOptions: { openai: { store: false } },
      messages: [{ role: "user", content: [{ type: "text", text }, ...seen] }],
    };
  };
  return {
    name: `@ai-sdk/openai ${packages["@ai-sdk/openai"]} (${route})`,
    async ask(text, image) {
      const { text: said, usage } = await generateText(request(text, image));
      return { text: said, promptTokens: usage.inputTokens };
    },
    async stream(text, image) {
      const answer = streamText(request(text, image));
      return { text: await answer.text, promptTokens: (await answer.usage).inputTokens };
    },
    async again(system, first, second) {
      const { messages, ...rest } = request(first);
      const { response } = await generateText({ ...rest, system, messages });
      const turns = [...messages, ...response.messages, ...request(second).messages];
      const { text, usage } = await generateText({ ...rest, system, messages: turns });
      return { text, promptTokens: usage.inputTokens };
    },
    async object(text, image) {
      const output = Output.object({ schema: jsonSchema(schema) });
      return (await generateText({ ...request(text, image), output, maxOutputTokens: 100 })).output;
    },
    async leave() {
      const leaving = new AbortController();
      const { textStream } = streamText({
        ...request("Hi"),
        ...{ maxOutputTokens: long, abortSignal: leaving.signal },
      });
      for await (const _ of textStream) leaving.abort();
    },
    async status({ key, model, image }) {
      try {
        await generateText(request("Hi", image, key, model));
        return 200;
      } catch (error) {
        assert.ok(APICallError.isInstance(error), String(error));
        const { statusCode, message } = error as { statusCode: number; message: string };
        assert.ok(message.length > 10 && !/^(Bad|Not|Unauth)/.test(message), message);
        return statusCode;
      }
    },
  };
}

/** Of a gauge or counter, over its labels. */
async function metric(name: string): Promise<number> {
  const response = await fetch(`${server.url}/metrics`, { headers: { "x-api-key": "key" } });
  const lines = (await response.text()).split("\n").filter((line) => line.startsWith(`llava:${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const checks: Readonly<Record<string, (client: Client) => Promise<void>>> = {
  async "a text, whole and streamed"(client) {
    const whole = await client.ask("Hi");
    assert.ok(whole.text.length > 0 && whole.promptTokens > 0);
    assert.deepEqual(await client.stream("Hi"), whole);
  },
  async "a picture by data: and by http:"(client) {
    const whole = await client.ask("What is it?", png);
    assert.deepEqual(await client.ask("What is it?", imageUrl), whole);
    assert.deepEqual(await client.stream("What is it?", png), whole);
    assert.ok(whole.promptTokens > (await client.ask("What is it?")).promptTokens);
  },
  async "a second turn, after what the system says"(client) {
    const { promptTokens } = await client.again("Be short.", "Hi", "And?");
    assert.ok(promptTokens > (await client.ask("Hi")).promptTokens);
  },
  async "JSON of a schema"(client) {
    isSeen(await client.object("What is it?", png));
  },
  async "leaving ends the work"(client) {
    const before = await metric("request_success_total");
    await client.leave();
    for (let waited = 0; (await metric("num_requests_running")) > 0; waited++) {
      assert.ok(waited < 40, "the answer is still under way");
      await wait(50);
    }
    assert.equal(await metric("request_success_total"), before, "the answer had ended before");
  },
  async "errors have their statuses"(client) {
    assert.equal(await client.status({ key: "other" }), 401);
    assert.equal(await client.status({ model: "other" }), 404);
    assert.equal(await client.status({ image: "data:image/png;base64,AAAA" }), 400);
  },
};

let failures = 0;
for (const client of [langchain(false), langchain(true), aiSdk("chat"), aiSdk("responses")])
  for (const [check, run] of Object.entries(checks))
    try {
      await run(client);
      console.log(`ok      ${client.name}: ${check}`);
    } catch (error) {
      failures++;
      console.log(`FAILED  ${client.name}: ${check}: ${error instanceof Error ? error.message : error}`);
    }
const peer = fileURLToPath(new URL("openai_client.py", import.meta.url));
const interpreter = flags.python ?? pythonWith(python, folder);
const [status] = await once(
  spawn(interpreter, [peer, server.url, imageUrl, picture], { stdio: "inherit" }),
  "exit",
);
images.close();
process.exitCode = failures === 0 && status === 0 ? 0 : 1;
