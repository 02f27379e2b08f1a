/**
 * Runs the original LLaVA's controller and its test_message.py with `llava serve`: as its worker, in its controller's place, and
 * behind both. CHECKOUT is one of haotian-liu/LLaVA; its package's models, which need torch, are left out.
 *   node proofs/check-legacy-clients.ts CHECKOUT [--python PYTHON]
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import sharp from "sharp";
import { freePort } from "../test/support/free-port.ts";
import { pythonWith } from "../test/support/python-packages.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import { startServing } from "../test/support/serving-process.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: "string" } },
});
const [checkout] = positionals;
if (checkout === undefined) throw new Error("usage: node proofs/check-legacy-clients.ts CHECKOUT");
const folder = mkdtempSync(join(tmpdir(), "llava-legacy-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const python =
  flags.python ??
  pythonWith(
    ["fastapi==0.165.0", "uvicorn==0.54.0", "requests==2.34.2", "numpy==2.4.6", "pillow==13.0.0"],
    folder,
  );

// The package's own __init__ loads the models.
mkdirSync(join(folder, "llava"));
const inside = JSON.stringify([join(resolve(checkout), "llava")]);
writeFileSync(join(folder, "llava/__init__.py"), `__path__ = ${inside}\n`);
const env = { ...process.env, PYTHONPATH: folder };

async function startController(port: number): Promise<ChildProcess> {
  const args = ["-m", "llava.serve.controller", "--host", "127.0.0.1", "--port", String(port)];
  const child = spawn(python, args, { cwd: folder, env, stdio: "ignore" });
  process.once("exit", () => child.kill());
  for (let tries = 0; ; tries++) {
    assert.ok(tries < 200 && child.exitCode === null, "LLaVA's controller does not answer");
    if (await fetch(`http://127.0.0.1:${port}/list_models`, { method: "POST" }).catch(() => false))
      return child;
    await wait(100);
  }
}

const post = async (url: string, body: object = {}): Promise<Response> =>
  await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function until(holds: () => Promise<boolean>, seconds: number, what: string): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await holds()); await wait(200))
    assert.ok(Date.now() < end, what);
}

/** What test_message.py prints: the prompt, then each answer so far over the one before. */
async function message(...args: readonly string[]): Promise<string> {
  const asked = ["-m", "llava.serve.test_message", "--model-name", "llava", "--max-new-tokens", "16"];
  const { stdout } = await promisify(execFile)(python, [...asked, ...args], { cwd: folder, env });
  return stdout;
}
// It has line ends for the separator of its conversation, a space.
const isAnswered = (said: string): void => assert.match(said, /1000\nwords\.\n[\s\S]+\r[\s\S]+\r\n$/);

const model = writeRandomCheckpoint(join(folder, "models/llava"), 3);
const port = await freePort();
const theirs = `http://127.0.0.1:${port}`;
let controller = await startController(port);
using worker = await startServing([model, "--no-log", "--controller", theirs]);
using other = await startServing([
  writeRandomCheckpoint(join(folder, "models/other"), 4),
  ...["--no-log", "--legacy"],
]);
const models = async (url: string): Promise<string[]> =>
  ((await (await post(`${url}/list_models`)).json()) as { models: string[] }).models;

const picture = await sharp({ create: { width: 20, height: 20, channels: 3, background: "teal" } })
  .png()
  .toBuffer();

/** Asks about a picture as the gradio page does. @returns the texts that came, each of the whole so far */
async function seen(url: string, marks: string, images: readonly Buffer[]): Promise<unknown[]> {
  const response = await post(`${url}/worker_generate_stream`, {
    model: "llava",
    prompt: `USER: ${marks}\nWhat is it? ASSISTANT:`,
    temperature: 0.2,
    top_p: 0.7,
    max_new_tokens: 16,
    stop: "</s>",
    images: images.map((image) => image.toString("base64")),
  });
  const parts = (await response.text()).split("\0");
  assert.equal(parts.pop(), "", "the last answer does not end in a NUL");
  return parts.map((part) => JSON.parse(part));
}

const checks: Readonly<Record<string, () => Promise<void>>> = {
  "our worker registers with LLaVA's controller": () =>
    until(async () => (await models(theirs)).includes("llava"), 10, "it is not in the list"),
  async "test_message.py by LLaVA's controller"() {
    const said = await message("--controller-address", theirs);
    assert.match(said, /Models: \['llava'\]/);
    assert.ok(said.includes(`worker_addr: ${worker.url}`), said);
    isAnswered(said);
  },
  "test_message.py by our worker": async () => isAnswered(await message("--worker-address", worker.url)),
  async "test_message.py in the place of LLaVA's controller"() {
    const said = await message("--controller-address", worker.url);
    assert.match(said, /Models: \['llava'\]/);
    isAnswered(said);
  },
  async "a picture through LLaVA's controller"() {
    const parts = (await seen(theirs, "<image>", [picture])) as { text: string; error_code: number }[];
    assert.ok(parts.length > 0 && parts.every(({ error_code }) => error_code === 0), JSON.stringify(parts));
    assert.ok(parts.every(({ text }, index) => text.startsWith(parts[index - 1]?.text ?? "USER: <image>\n")));
  },
  async "pictures without marks are code 1, with the cause"() {
    const [part] = (await seen(theirs, "", [picture])) as { text: string; error_code: number }[];
    assert.equal(part?.error_code, 1);
    assert.match(part!.text, /HIGH TRAFFIC[\s\S]*images: there are 1/);
  },
  async "LLaVA's controller as a worker of ours"() {
    const registered = { worker_name: theirs, check_heart_beat: false, worker_status: null };
    assert.equal((await post(`${other.url}/register_worker`, registered)).status, 200);
    assert.deepEqual((await models(other.url)).toSorted(), ["llava", "other"]);
    const said = await message("--controller-address", other.url);
    assert.ok(said.includes(`worker_addr: ${theirs}`), said);
    isAnswered(said);
    const parts = (await seen(other.url, "<image>", [picture])) as { error_code: number }[];
    assert.ok(parts.length > 0 && parts.every(({ error_code }) => error_code === 0), JSON.stringify(parts));
  },
  async "a controller that starts anew is told again"() {
    controller.kill();
    await once(controller, "exit");
    controller = await startController(port);
    await until(
      async () => (await models(theirs)).includes("llava"),
      20,
      "no heart beat registered it again",
    );
  },
};
for (const [name, check] of Object.entries(checks))
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    console.log(`FAILED  ${name}: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
controller.kill();
