// `llava serve` as a child process on tiny checkpoints: npm test -- test/cli/serve.test.ts
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ask } from "../support/ask-server.ts";
import { llavaHere, startLlava } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/llava/${name}`, import.meta.url));
const folder = temporaryFolder("llava-serve");

/** The server's address, once its models answer; what it wrote, when it has ended. */
async function serve(args: readonly string[]) {
  const { child, ended } = startLlava(["serve", "--port", "0", ...args]);
  after(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr!.on("data", (chunk: string) => {
    said += chunk;
  });
  while (!/ is ready\n/.test(said) && child.exitCode === null) await wait(20);
  const url = /^(http:\S+) is ready$/m.exec(said)?.[1];
  assert.ok(url, said);
  return { url, child, ended };
}

test("two models answer beside each other, by their names; SIGTERM lets an answer end, and the status is 0", async () => {
  const [llama, qwen2] = [fixture("llama"), fixture("qwen2")];
  const keys = join(folder, "keys");
  writeFileSync(keys, "one\ntwo\n");
  const { url, child, ended } = await serve([
    llama,
    qwen2,
    "--alias",
    "first",
    "--alias",
    `${qwen2}=second`,
    "--key-file",
    keys,
    "--limit-max-tokens",
    "50",
  ]);
  const headers = { authorization: "Bearer two" };
  const asked = { temperature: 0, max_tokens: 3, messages: [{ role: "user", content: "Hi" }] };
  const chat = (body: object) => ask(`${url}/v1/chat/completions`, { body: { ...asked, ...body }, headers });
  assert.equal((await ask(`${url}/v1/models`)).status, 401);
  for (const model of ["first", "second"]) {
    const { body, text } = await chat({ model });
    assert.equal(body.model, model, text);
    assert.equal(body.usage.completion_tokens, 3);
  }
  assert.match((await ask(url)).text, /^<!doctype html>/i);
  const { data } = (await ask(`${url}/v1/models`, { headers })).body;
  assert.deepEqual(
    data.map(({ id }: { id: string }) => id),
    ["llama", "first", "qwen2", "second"],
  );
  assert.equal(data[0].limits.maxTokens, 50);
  const running = chat({
    model: "first",
    max_tokens: 1000,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  });
  await wait(100);
  child.kill("SIGTERM");
  const { text } = await running;
  assert.ok(text.endsWith("data: [DONE]\n\n"), text.slice(-300));
  assert.match(text, /"completion_tokens":50/);
  const { status, stdout } = await ended;
  assert.equal(status, 0);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(
    lines.some(({ route, completionTokens }) => route === "/v1/chat/completions" && completionTokens === 50),
  );
});

test("several processes answer behind one port", async () => {
  const { url, child, ended } = await serve([fixture("llama"), "--replicas", "2", "--key", "outer"]);
  const headers = { authorization: "Bearer outer" };
  const body = { max_tokens: 2, temperature: 0, messages: [{ role: "user", content: "Hi" }] };
  const chat = () => ask(`${url}/v1/chat/completions`, { body, headers });
  assert.deepEqual((await ask(`${url}/health`)).body, { status: "ok", replicas: 2, started: 2 });
  const { content } = (await chat()).body.choices[0].message;
  assert.equal((await ask(`${url}/v1/models`)).status, 401);
  const { text: shown } = await ask(`${url}/metrics`, { headers });
  for (const replica of [0, 1])
    assert.match(shown, new RegExp(`num_requests_running\\{.*replica="${replica}"\\}`));
  assert.equal((await chat()).body.choices[0].message.content, content);
  child.kill("SIGTERM");
  assert.equal((await ended).status, 0);
});

test("a model that cannot be loaded ends the server", async () => {
  const { status, stderr } = await startLlava(["serve", join(folder, "none"), "--port", "0"]).ended;
  assert.equal(status, 1);
  assert.match(stderr, /none/);
});

test("beyond this machine there must be a key", async () => {
  for (const [args, message] of [
    [["--host", "0.0.0.0"], /there is no key/],
    [["--key", " "], /a key is empty/],
    [["--key-file", join(folder, "no-keys")], /cannot be read/],
    [["--alias", "other=x"], /other is not served/],
    [["--limit-body-bytes", "0"], /whole number above 0/],
  ] as const) {
    const { status, stderr } = await llavaHere(["serve", "llava-smol-135m", ...args]);
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
});
