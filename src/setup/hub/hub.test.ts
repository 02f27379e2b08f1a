import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import {
  etagOf,
  type HubFiles as Files,
  isLarge,
  newHubHome,
  startHub,
  type TestHub,
} from "../../../test/support/hub.ts";
import {
  allOf,
  config,
  json,
  kinds,
  named,
  neededOf,
  pick,
  repositories,
  weights,
} from "../../../test/support/repositories.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { listModels } from "../model-list.ts";
import { resolveModel } from "../models.ts";
import type { ResolveOptions } from "../options.ts";

const base = temporaryFolder("llava-hub");

let hub: TestHub;
before(async () => {
  hub = await startHub();
});
after(() => hub[Symbol.asyncDispose]());

/** Nothing listens there. */
const nowhere = "http://127.0.0.1:9";

function newHome(files: Files) {
  Object.assign(hub, { files, requests: [] });
  return newHubHome(base, hub);
}

async function folderOf(env: ResolveOptions["env"], options: ResolveOptions = {}): Promise<string> {
  const resolved = await resolveModel("org/x", { env: env!, ...options });
  assert.equal(resolved.kind, "folder");
  return resolved.kind === "folder" ? resolved.path : "";
}

const filesIn = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile())
    .sort();

/** Puts files into the cache of Python's hub client, as it lays them out; `dangling` ones as links to nothing. */
function fillPythonCache(hfHome: string, files: Files, dangling: readonly string[] = []): string {
  const repository = join(hfHome, "hub/models--org--x");
  const snapshot = join(repository, "snapshots", hub.commit);
  mkdirSync(join(repository, "refs"), { recursive: true });
  mkdirSync(join(repository, "blobs"));
  mkdirSync(snapshot, { recursive: true });
  writeFileSync(join(repository, "refs/main"), hub.commit);
  for (const [name, content] of Object.entries(files)) {
    const blob = join(repository, "blobs", etagOf(name, content));
    if (!dangling.includes(name)) writeFileSync(blob, content);
    mkdirSync(dirname(join(snapshot, name)), { recursive: true });
    symlinkSync(blob, join(snapshot, name));
  }
  return snapshot;
}

const runs = { numRuns: 25 };

describe("a repository on the hub", () => {
  test("what the loader reads is fetched, once, and then used without the hub", async () => {
    await fc.assert(
      fc.asyncProperty(repositories, async (repository) => {
        const needed = neededOf(repository);
        const env = newHome(allOf(repository));
        const folder = await folderOf(env);
        assert.deepEqual(filesIn(folder), Object.keys(needed).sort());
        for (const [name, content] of Object.entries(needed))
          assert.deepEqual(readFileSync(join(folder, name)), content);
        assert.deepEqual(hub.requests.toSorted(), ["listing", ...Object.keys(needed)].sort());

        hub.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(hub.requests, []);
        assert.equal(await folderOf({ ...env, HF_ENDPOINT: nowhere }, { offline: true }), folder);
        const listed = listModels(env).filter(({ summary }) => summary === "from the hub");
        assert.deepEqual(
          listed.map(({ name, complete }) => [name, complete]),
          [["org/x", true]],
        );
      }),
      runs,
    );
  });

  test("without weights, only what describes it is fetched, and the weights when they are wanted", async () => {
    const parts = repositories.filter(({ kind }) => kind !== "gguf");
    await fc.assert(
      fc.asyncProperty(parts, async (repository) => {
        const needed = neededOf(repository);
        const large = Object.keys(needed).filter((name) => isLarge(name) || name.endsWith(".index.json"));
        const small = Object.keys(needed).filter((name) => !large.includes(name));
        const env = newHome(allOf(repository));
        const folder = await folderOf(env, { weights: false });
        assert.deepEqual(hub.requests.toSorted(), ["listing", ...small].sort());
        assert.equal(await folderOf(env, { weights: false, offline: true }), folder);
        await assert.rejects(folderOf(env, { offline: true }), { code: "setup" });
        hub.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(hub.requests.toSorted(), large.sort());
      }),
      { numRuns: 10 },
    );
  });

  test("what is lost of it is fetched again, and nothing else", async () => {
    const lossy = repositories.chain((repository) =>
      fc.record({
        repository: fc.constant(repository),
        lost: fc.subarray(Object.keys(neededOf(repository)), { minLength: 1 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(lossy, async ({ repository, lost }) => {
        const needed = neededOf(repository);
        const env = newHome(needed);
        const folder = await folderOf(env);
        for (const name of lost) rmSync(realpathSync(join(folder, name)));
        hub.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(hub.requests.toSorted(), lost.toSorted());
        assert.deepEqual(filesIn(folder), Object.keys(needed).sort());
      }),
      runs,
    );
  });

  test("a snapshot of Python's client is completed, and used as it is where it is whole", async () => {
    const cached = repositories.chain((repository) =>
      fc.record({
        repository: fc.constant(repository),
        present: fc.subarray(Object.keys(neededOf(repository))),
        dangling: fc.subarray(Object.keys(neededOf(repository))),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cached, async ({ repository, present, dangling }) => {
        const needed = neededOf(repository);
        const env = newHome(allOf(repository));
        const snapshot = fillPythonCache(env.HF_HOME, pick(needed, present), dangling);
        const there = present.filter((name) => !dangling.includes(name));
        const missing = Object.keys(needed).filter((name) => !there.includes(name));
        const folder = await folderOf(env);
        assert.equal(folder, snapshot);
        for (const [name, content] of Object.entries(needed))
          assert.deepEqual(readFileSync(join(folder, name)), content);
        assert.deepEqual(hub.requests.toSorted(), ["listing", ...missing].sort());

        hub.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(hub.requests, []);
        assert.equal(await folderOf({ ...env, HF_ENDPOINT: nowhere }), folder);
      }),
      runs,
    );
  });

  test("a snapshot whose weights are in one container is not fetched again in another", async () => {
    const files = { ...kinds["safetensors"]!, ...kinds["binShards"]! };
    const env = newHome(files);
    const snapshot = fillPythonCache(env.HF_HOME, kinds["binShards"]!);
    assert.equal(await folderOf(env), snapshot);
    assert.deepEqual(hub.requests, ["listing"]);
  });

  test("where the hub cannot be asked, a snapshot with all weights is used and the reason told", async () => {
    const env = newHome({});
    const snapshot = fillPythonCache(env.HF_HOME, kinds["shards"]!);
    const told: string[] = [];
    const folder = await folderOf({ ...env, HF_ENDPOINT: nowhere }, { report: (line) => told.push(line) });
    assert.equal(folder, snapshot);
    assert.match(told.join("\n"), /cannot be reached.*used as it is/);
  });

  test("what an earlier version kept in a folder of its own is moved to the shared cache", async () => {
    const needed = kinds["llavaAdapter"]!;
    const env = newHome(needed);
    const own = join(env.LLAVA_HOME, "hub/org--x@main");
    for (const folder of [own, `${own}.partial`]) {
      mkdirSync(folder, { recursive: true });
      for (const name of ["adapter_config.json", "adapter_model.safetensors"])
        writeFileSync(join(folder, name), needed[name]!);
    }
    writeFileSync(`${own}.json`, "{}");
    writeFileSync(
      join(`${own}.partial`, "non_lora_trainables.bin.partial"),
      needed["non_lora_trainables.bin"]!.subarray(0, 99),
    );
    await folderOf(env, { weights: false });
    assert.ok(existsSync(join(own, "adapter_config.json")), "as long as its weights are there alone");
    const told: string[] = [];
    const folder = await folderOf(env, { report: (line) => told.push(line) });
    assert.equal(folder, join(env.HF_HOME, "hub/models--org--x/snapshots", hub.commit));
    assert.deepEqual(filesIn(folder), Object.keys(needed).sort());
    assert.deepEqual(hub.requests.toSorted(), ["config.json", "listing", "non_lora_trainables.bin"]);
    assert.deepEqual(readdirSync(join(env.LLAVA_HOME, "hub")), ["models--org--x"]);
    assert.match(told.join("\n"), /was moved to/);
  });

  test("of an earlier version's folder, what is another than the hub's stays, and is told", async () => {
    const env = newHome(kinds["bin"]!);
    const own = join(env.LLAVA_HOME, "hub/org--x@main");
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "config.json"), json({ model_type: "edited" }));
    writeFileSync(join(own, "pytorch_model.bin"), weights("pytorch_model.bin"));
    assert.equal(await folderOf(env, { offline: true }), own, "offline it is used as it is");
    const [listed] = listModels(env).filter(({ name }) => name === "org/x");
    assert.deepEqual([listed?.folder, listed?.complete], [own, true]);
    const told: string[] = [];
    const folder = await folderOf(env, { report: (line) => told.push(line) });
    assert.deepEqual(readFileSync(join(folder, "config.json")), config["config.json"]);
    assert.deepEqual(hub.requests, ["listing", "config.json"]);
    assert.deepEqual(readdirSync(own), ["config.json"]);
    assert.match(told.join("\n"), /left with what .* has not: config\.json/);
  });

  test("repositories that cannot be loaded are refused before anything large is fetched", async () => {
    const bad: [Files, RegExp][] = [
      [{ ...config, "README.md": json({}) }, /no weights as \.safetensors or \.bin/],
      [named("model.safetensors"), /has no config\.json/],
      [
        { ...config, ...named("a.Q4.gguf", "a.Q8.gguf") },
        /one GGUF file, rather than several \(a\.Q4\.gguf, a\.Q8\.gguf\)/,
      ],
      [{ "adapter_config.json": json({}), ...named("model.safetensors") }, /no weights/],
      [pick(kinds["shards"]!, ["config.json", "model.safetensors.index.json"]), /model-00001-of-00002/],
    ];
    for (const [files, message] of bad) {
      const env = newHome(files);
      await assert.rejects(folderOf(env), { code: "config", message });
      assert.deepEqual(
        hub.requests.filter((name) => isLarge(name)),
        [],
      );
    }
  });
});
