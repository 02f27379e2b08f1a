import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { etagOf } from "../../test/support/hub.ts";
import { startServer, type TestServer } from "../../test/support/server.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { defaultModel } from "./manifest.ts";
import { listModels } from "./model-list.ts";
import { resolveModel } from "./models.ts";

const base = temporaryFolder("llava-models");

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

const hash = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

const repository: Record<string, Buffer> = {
  "config.json": Buffer.from('{"model_type":"llava"}'),
  "tokenizer.json": Buffer.from("{}"),
  "model-00001-of-00002.safetensors": Buffer.alloc(3000, 1),
  "model-00002-of-00002.safetensors": Buffer.alloc(2000, 2),
  "model.safetensors.index.json": Buffer.from(
    JSON.stringify({
      weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
    }),
  ),
  "pytorch_model.bin": Buffer.alloc(10),
  "onnx/model.safetensors": Buffer.alloc(10),
  "README.md": Buffer.from("words"),
};

/** Answers like the hub: a listing at /api/models/…, files at /…/resolve/…, with a token where one is asked for. */
function startHub(requests: string[], { token = "", broken = "" } = {}): Promise<TestServer> {
  return startServer((request, response) => {
    const url = request.url ?? "";
    requests.push(url);
    if (token && request.headers.authorization !== `Bearer ${token}`) return response.writeHead(401).end();
    if (url === "/api/models/org/tiny/revision/main?blobs=true") {
      const siblings = Object.entries(repository).map(([rfilename, content]) => ({
        rfilename,
        size: content.length,
        blobId: etagOf("small", content),
        ...(rfilename.endsWith(".safetensors") && { lfs: { sha256: hash(content), size: content.length } }),
      }));
      return response.end(JSON.stringify({ sha: "c0ffee", siblings }));
    }
    const name = url.match(/^\/org\/tiny\/resolve\/c0ffee\/(.+)$/)?.[1] ?? "";
    const content = repository[name];
    if (!content) return response.writeHead(404).end();
    return response.end(name === broken ? Buffer.alloc(content.length, 9) : content);
  });
}

describe("resolveModel", () => {
  let home: string;
  let env: { LLAVA_HOME: string; XDG_CACHE_HOME: string };
  beforeEach(() => {
    home = mkdtempSync(join(base, "home-"));
    env = { LLAVA_HOME: join(home, "llava"), XDG_CACHE_HOME: join(home, "cache") };
  });

  test("an unknown name is answered with the known ones", async () => {
    await assert.rejects(resolveModel("lava-smol", { env }), {
      code: "config",
      message: /lava-smol/,
      hint: new RegExp(defaultModel),
    });
  });

  test("a folder is taken as it is", async () => {
    assert.deepEqual(await resolveModel(home, { env }), { kind: "folder", path: home });
  });

  test("offline, what is not here is not fetched", async () => {
    for (const name of [defaultModel, "org/tiny"]) {
      await assert.rejects(resolveModel(name, { env, offline: true }), {
        code: "setup",
        hint: new RegExp(`llava model pull ${name}`),
      });
    }
  });

  test("a hub model is downloaded once, checked, without what is not needed", async () => {
    const requests: string[] = [];
    await using hub = await startHub(requests, { token: "secret" });
    const online = { ...env, HF_ENDPOINT: hub.url, HF_TOKEN: "secret" };
    const reported: number[] = [];
    const progress = () => ({ update: (done: number) => reported.push(done), increment() {}, stop() {} });
    const resolved = await resolveModel("org/tiny", { env: online, progress });
    assert.equal(resolved.kind, "folder");
    const path = resolved.kind === "folder" ? resolved.path : "";
    assert.deepEqual(readdirSync(path).sort(), [
      "config.json",
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
      "tokenizer.json",
    ]);
    for (const name of readdirSync(path)) assert.deepEqual(readFileSync(join(path, name)), repository[name]);
    const total = readdirSync(path).reduce((sum, name) => sum + repository[name]!.length, 0);
    assert.equal(reported.at(-1), total);

    const before = requests.length;
    assert.deepEqual(await resolveModel("org/tiny", { env: online }), resolved);
    assert.equal(requests.length, before);
    const listed = listModels(env).find(({ name }) => name === "org/tiny");
    assert.deepEqual([listed?.complete, listed?.bytes], [true, total]);
  });

  test("without weights, only what describes a hub model is downloaded, once, and is no model yet", async () => {
    const requests: string[] = [];
    await using hub = await startHub(requests);
    const online = { ...env, HF_ENDPOINT: hub.url };
    const described = await resolveModel("org/tiny", { env: online, weights: false });
    assert.ok(described.kind === "folder");
    assert.deepEqual(readdirSync(described.path).sort(), ["config.json", "tokenizer.json"]);
    const before = requests.length;
    assert.deepEqual(await resolveModel("org/tiny", { env: online, weights: false }), described);
    assert.equal(requests.length, before);
    assert.equal(
      listModels(env).find(({ name }) => name === "org/tiny"),
      undefined,
    );
    await assert.rejects(resolveModel("org/tiny", { env, offline: true }), { code: "setup" });

    const whole = await resolveModel("org/tiny", { env: online });
    assert.deepEqual(whole, described);
    assert.deepEqual(await resolveModel("org/tiny", { env: online, weights: false }), whole);
  });

  test("a file with another hash is refused, and what is good is kept for the next run", async () => {
    const requests: string[] = [];
    const last = "model-00002-of-00002.safetensors";
    await using bad = await startHub(requests, { broken: last });
    await assert.rejects(resolveModel("org/tiny", { env: { ...env, HF_ENDPOINT: bad.url } }), {
      code: "network",
      message: /SHA-256/,
    });
    assert.equal(listModels(env).find(({ name }) => name === "org/tiny")?.complete, false);

    const again: string[] = [];
    await using good = await startHub(again);
    const resolved = await resolveModel("org/tiny", { env: { ...env, HF_ENDPOINT: good.url } });
    assert.ok(resolved.kind === "folder" && existsSync(join(resolved.path, last)));
    assert.ok(again.some((url) => url.endsWith(last)));
    assert.ok(!again.some((url) => url.endsWith("model-00001-of-00002.safetensors")));
  });

  test("a missing or gated model is told from a hub that cannot be reached", async () => {
    const hub = await startHub([], { token: "secret" });
    const online = { ...env, HF_ENDPOINT: hub.url };
    await assert.rejects(resolveModel("org/tiny", { env: online }), { code: "config", hint: /HF_TOKEN/ });
    await hub[Symbol.asyncDispose]();
    await assert.rejects(resolveModel("org/tiny", { env: online }), { code: "network", hint: /HF_ENDPOINT/ });
  });

  test("a complete snapshot of Python's hub client is used, an incomplete one is not", async () => {
    const cache = join(env.XDG_CACHE_HOME, "huggingface/hub/models--org--tiny");
    const snapshot = join(cache, "snapshots/abc123");
    write(join(cache, "refs/main"), "abc123");
    const shard = "model-00002-of-00002.safetensors";
    const names = Object.keys(repository).filter((name) => !name.includes("/"));
    for (const name of names) if (name !== shard) write(join(snapshot, name), repository[name]!);
    await assert.rejects(resolveModel("org/tiny", { env, offline: true }), { code: "setup" });

    write(join(snapshot, shard), repository[shard]!);
    const expected = { kind: "folder", path: snapshot };
    assert.deepEqual(await resolveModel("org/tiny", { env, offline: true }), expected);
    assert.deepEqual(await resolveModel("org/tiny@abc123", { env, offline: true }), expected);
  });
});
