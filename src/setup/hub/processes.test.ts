import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { etagOf, type HubFiles, newHubHome, startHub, type TestHub } from "../../../test/support/hub.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { resolveModel } from "../models.ts";
import type { ResolveOptions } from "../options.ts";

const base = temporaryFolder("llava-hub-processes");

const WEIGHTS = "model.safetensors";
const content = Buffer.from("weights".repeat(9));
const files: HubFiles = { "config.json": Buffer.from('{"model_type":"llava"}'), [WEIGHTS]: content };

const cacheOf = ({ HF_HOME }: { HF_HOME: string }): string => join(HF_HOME, "hub");

async function folderOf(env: Record<string, string>, options: ResolveOptions = {}): Promise<string> {
  const found = await resolveModel("org/x", { env, ...options });
  return found.kind === "folder" ? found.path : "";
}

const child = `
const { resolveModel } = await import(${JSON.stringify(new URL("../models.ts", import.meta.url).href)});
const report = (line) => console.log(line);
console.log((await resolveModel("org/x", { report })).path);
`;
const resolveInChild = (env: Record<string, string>) =>
  spawn(process.execPath, ["--input-type=module", "-e", child], { env: { ...process.env, ...env } });

/** Answers for the weights only when told to. */
function holdWeights(hub: TestHub): { release: () => void; asked: Promise<unknown> } {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { promise: asked, resolve: tell } = Promise.withResolvers<void>();
  hub.intercept = (request, response, name) => {
    if (name !== WEIGHTS) return false;
    tell();
    void released.then(() => hub.send(request, response, content));
    return true;
  };
  return { release, asked };
}

const outputOf = async (started: ReturnType<typeof resolveInChild>): Promise<string> => {
  let output = "";
  started.stdout.on("data", (text) => (output += text));
  started.stderr.on("data", (text) => (output += text));
  await once(started, "close");
  return output;
};

describe("two processes that want the same model", () => {
  test("fetch it once", async () => {
    await using hub = await startHub(files);
    const env = newHubHome(base, hub);
    const { release, asked } = holdWeights(hub);
    const outputs = [resolveInChild(env), resolveInChild(env)].map(outputOf);
    await asked;
    setTimeout(release, 1500);
    const [first, second] = await Promise.all(outputs);
    assert.equal(first!.trim().split("\n").at(-1), second!.trim().split("\n").at(-1));
    assert.equal(hub.requests.filter((name) => name === WEIGHTS).length, 1);
    assert.match(`${first}${second}`, /Another process is downloading model\.safetensors/);
    assert.deepEqual(readdirSync(join(cacheOf(env), "models--org--x/.llava")), []);
  });

  test("one that was killed leaves its part to the next", async () => {
    await using hub = await startHub(files);
    const env = newHubHome(base, hub);
    const ranges: (string | undefined)[] = [];
    const { promise: asked, resolve: tell } = Promise.withResolvers<void>();
    hub.intercept = (request, response, name) => {
      if (name !== WEIGHTS) return false;
      ranges.push(request.headers.range);
      if (ranges.length > 1) return false;
      response.writeHead(200, { "content-length": 63 }).write(content.subarray(0, 34));
      tell();
      return true;
    };
    const killed = resolveInChild(env);
    await asked;
    const partial = join(cacheOf(env), "models--org--x/.llava", `${etagOf(WEIGHTS, content)}.partial`);
    while (!existsSync(partial) || lstatSync(partial).size < 34) await sleep(20);
    killed.kill("SIGKILL");
    await once(killed, "close");
    const folder = await folderOf(env);
    assert.deepEqual(ranges, [undefined, "bytes=34-"]);
    assert.deepEqual(readFileSync(join(folder, WEIGHTS)), content);
  });

  const hasFlock = spawnSync("flock", ["--version"]).status === 0;
  test("wait for one another by the lock of Python's client", { skip: !hasFlock && "no flock" }, async () => {
    await using hub = await startHub(files);
    const env = newHubHome(base, hub);
    const lock = join(cacheOf(env), ".locks/models--org--x", `${etagOf(WEIGHTS, content)}.lock`);
    mkdirSync(dirname(lock), { recursive: true });
    const other = spawn("flock", [lock, "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] });
    await once(other.stdout, "data");
    const told: string[] = [];
    const running = folderOf(env, { report: (line) => told.push(line) });
    while (!told.some((line) => /waiting/.test(line))) await sleep(20);
    assert.ok(!hub.requests.includes(WEIGHTS));
    const blob = join(cacheOf(env), "models--org--x/blobs", etagOf(WEIGHTS, content));
    writeFileSync(blob, content);
    other.stdin.end();
    await running;
    assert.ok(!hub.requests.includes(WEIGHTS), "it was there when the lock was free");

    rmSync(blob);
    const { release, asked } = holdWeights(hub);
    const again = folderOf(env);
    await asked;
    assert.equal(spawnSync("flock", ["-n", lock, "true"]).status, 1, "it is held while this process fetches");
    release();
    await again;
    assert.equal(spawnSync("flock", ["-n", lock, "true"]).status, 0);
  });
});
