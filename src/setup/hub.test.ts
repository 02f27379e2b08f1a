import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { startServer, type TestServer } from "../../test/support/server.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { listModels } from "./model-list.ts";
import { resolveModel } from "./models.ts";
import type { ResolveOptions } from "./options.ts";

const base = temporaryFolder("llava-hub");

type Files = Record<string, Buffer>;
const commit = "c0ffee";
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const weights = (name: string): Buffer => Buffer.from(`weights of ${name} `.repeat(40));
const isLarge = (name: string): boolean => /\.(?:safetensors|bin|gguf)$/.test(name);
const hash = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

/** A hub that shows one repository, org/x, and counts what is asked for. */
const shown: { files: Files; requests: string[]; authorization: Set<string | undefined> } = {
  files: {},
  requests: [],
  authorization: new Set(),
};
let hub: TestServer;
before(async () => {
  hub = await startServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    shown.authorization.add(request.headers.authorization);
    const file = url.match(/^\/org\/x\/resolve\/[^/]+\/(.+)$/)?.[1];
    shown.requests.push(file ?? "listing");
    if (url.startsWith("/api/models/org/x/revision/")) {
      const siblings = Object.entries(shown.files).map(([rfilename, { length: size }]) => ({
        rfilename,
        size,
        ...(isLarge(rfilename) && { lfs: { size, sha256: hash(shown.files[rfilename]!) } }),
      }));
      return response.end(JSON.stringify({ sha: commit, siblings }));
    }
    const content = file === undefined ? undefined : shown.files[file];
    return content ? response.end(content) : response.writeHead(404).end();
  });
});
after(() => hub[Symbol.asyncDispose]());

/** Nothing listens there. */
const nowhere = "http://127.0.0.1:9";

function newHome(files: Files): { HF_ENDPOINT: string; LLAVA_HOME: string; HF_HOME: string } {
  const home = mkdtempSync(join(base, "home-"));
  Object.assign(shown, { files, requests: [], authorization: new Set() });
  return { HF_ENDPOINT: hub.url, LLAVA_HOME: join(home, "llava"), HF_HOME: join(home, "huggingface") };
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
  const snapshot = join(repository, "snapshots", commit);
  mkdirSync(join(repository, "refs"), { recursive: true });
  mkdirSync(join(repository, "blobs"));
  mkdirSync(snapshot, { recursive: true });
  writeFileSync(join(repository, "refs/main"), commit);
  for (const [name, content] of Object.entries(files)) {
    const blob = join(repository, "blobs", hash(content));
    if (!dangling.includes(name)) writeFileSync(blob, content);
    mkdirSync(dirname(join(snapshot, name)), { recursive: true });
    symlinkSync(blob, join(snapshot, name));
  }
  return snapshot;
}

const named = (...names: string[]): Files => Object.fromEntries(names.map((name) => [name, weights(name)]));
const config = { "config.json": json({ model_type: "llava" }) };
const shards = (stem: string, suffix: string): Files => {
  const names = [1, 2].map((at) => `${stem}-0000${at}-of-00002${suffix}`);
  const index = json({ weight_map: { a: names[0], b: names[1], c: names[0] } });
  return { ...named(...names), [`${stem}${suffix}.index.json`]: index };
};

/** What is needed of each kind of repository, by what the loader reads. No two files have the same content: it names them. */
const kinds: Record<string, Files> = {
  safetensors: { ...config, ...named("model.safetensors") },
  shards: { ...config, ...shards("model", ".safetensors") },
  bin: { ...config, ...named("pytorch_model.bin") },
  binShards: { ...config, ...shards("pytorch_model", ".bin") },
  stage1: { ...config, ...named("mm_projector.bin") },
  gguf: { ...config, ...named("model-Q4_1.gguf") },
  adapter: { "adapter_config.json": json({}), ...named("adapter_model.safetensors") },
  adapterBin: { "adapter_config.json": json({}), ...named("adapter_model.bin") },
  llavaAdapter: {
    ...config,
    "adapter_config.json": json({}),
    ...named("adapter_model.safetensors", "non_lora_trainables.bin"),
  },
  towerInside: {
    "config.json": json({ model_type: "llava_llama", mm_vision_tower: "/home/someone/tower" }),
    ...named("model.safetensors", "tower/model.safetensors"),
    "tower/config.json": json({ tower: 1 }),
  },
};
/** Small files that belong to any of them. */
const descriptions: Files = {
  "tokenizer.json": json({ tokenizer: 1 }),
  "tokenizer.model": Buffer.from("pieces"),
  "tokenizer_config.json": json({ a: 1 }),
  "special_tokens_map.json": json({ b: 1 }),
  "generation_config.json": json({ c: 1 }),
  "preprocessor_config.json": json({ d: 1 }),
  "chat_template.jinja": Buffer.from("{{ messages }}"),
};
/** What repositories hold besides. Some has suffixes of weights. */
const noise = named(
  "README.md",
  "consolidated.safetensors",
  "model.fp16.safetensors",
  "training_args.bin",
  "optimizer.bin",
  "onnx/model.safetensors",
  "checkpoint-100/config.json",
  "trainer_state.json",
  "model.safetensors.bak",
);

/** By names, so that a counterexample can be read. */
const repositories = fc.record({
  kind: fc.constantFrom(...Object.keys(kinds)),
  described: fc.subarray(Object.keys(descriptions)),
  besides: fc.subarray(Object.keys(noise)),
});
type Repository = typeof repositories extends fc.Arbitrary<infer Value> ? Value : never;

const neededOf = ({ kind, described }: Repository): Files => ({
  ...kinds[kind]!,
  ...pick(descriptions, described),
});
const allOf = (repository: Repository): Files => ({
  ...neededOf(repository),
  ...pick(noise, repository.besides),
});

const pick = (files: Files, names: readonly string[]): Files =>
  Object.fromEntries(names.map((name) => [name, files[name]!]));
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
        assert.deepEqual(shown.requests.toSorted(), ["listing", ...Object.keys(needed)].sort());

        shown.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(shown.requests, []);
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
        for (const name of lost) rmSync(join(folder, name));
        shown.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(shown.requests.toSorted(), ["listing", ...lost].sort());
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
        assert.equal(folder === snapshot, missing.length === 0);
        for (const [name, content] of Object.entries(needed))
          assert.deepEqual(readFileSync(join(folder, name)), content);
        assert.deepEqual(shown.requests.toSorted(), ["listing", ...missing].sort());

        shown.requests = [];
        assert.equal(await folderOf(env), folder);
        assert.deepEqual(shown.requests, []);
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
    assert.deepEqual(shown.requests, ["listing"]);
  });

  test("where the hub cannot be asked, a snapshot with all weights is used and the reason told", async () => {
    const env = newHome({});
    const snapshot = fillPythonCache(env.HF_HOME, kinds["shards"]!);
    const told: string[] = [];
    const folder = await folderOf({ ...env, HF_ENDPOINT: nowhere }, { report: (line) => told.push(line) });
    assert.equal(folder, snapshot);
    assert.match(told.join("\n"), /cannot be reached.*used as it is/);
  });

  test("a folder that an earlier version left incomplete is completed in place", async () => {
    const needed = kinds["llavaAdapter"]!;
    const env = newHome(needed);
    const own = join(env.LLAVA_HOME, "hub/org--x@main");
    for (const folder of [own, `${own}.partial`]) {
      mkdirSync(folder, { recursive: true });
      for (const name of ["adapter_config.json", "adapter_model.safetensors"])
        writeFileSync(join(folder, name), needed[name]!);
    }
    assert.equal(await folderOf(env), own);
    assert.deepEqual(shown.requests.toSorted(), ["config.json", "listing", "non_lora_trainables.bin"]);
    assert.equal(existsSync(`${own}.partial`), false);
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
        shown.requests.filter((name) => isLarge(name)),
        [],
      );
    }
  });
});

describe("the user's account and surroundings", () => {
  test("a token is taken from HF_TOKEN, or from the file that hf auth login wrote", async () => {
    const cases: [Record<string, string>, string | undefined][] = [
      [{}, "Bearer from-file"],
      [{ HF_TOKEN: "from-variable" }, "Bearer from-variable"],
      [{ HF_TOKEN_PATH: join(base, "elsewhere") }, "Bearer from-elsewhere"],
      [{ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, undefined],
    ];
    writeFileSync(join(base, "elsewhere"), " from-elsewhere\n");
    for (const [variables, expected] of cases) {
      const env = newHome(kinds["bin"]!);
      mkdirSync(env.HF_HOME, { recursive: true });
      writeFileSync(join(env.HF_HOME, "token"), "from-file\n");
      await folderOf({ ...env, ...variables });
      assert.deepEqual([...shown.authorization], [expected]);
    }
  });

  test("HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE keep from the hub", async () => {
    for (const variable of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
      const env = newHome(kinds["bin"]!);
      await assert.rejects(folderOf({ ...env, [variable]: "1" }), {
        code: "setup",
        hint: new RegExp(variable),
      });
      await assert.rejects(folderOf({ ...env, [variable]: "True" }), { code: "setup" });
      const snapshot = fillPythonCache(env.HF_HOME, kinds["bin"]!);
      assert.equal(await folderOf({ ...env, [variable]: "YES" }), snapshot);
      assert.deepEqual(shown.requests, []);
      await folderOf({ ...env, [variable]: "0" });
      assert.deepEqual(shown.requests, ["listing"]);
    }
  });

  test("HTTP_PROXY carries listing and files, except to hosts of NO_PROXY", async () => {
    const asked: string[] = [];
    await using proxy = await startServer((request, response) => {
      asked.push(request.url ?? "");
      const { pathname, search } = new URL(request.url ?? "");
      fetch(hub.url + pathname + search).then(async (answer) =>
        response.end(Buffer.from(await answer.arrayBuffer())),
      );
    });
    for (const name of ["HTTP_PROXY", "http_proxy"]) {
      const env = { ...newHome(kinds["bin"]!), HF_ENDPOINT: "http://hub.invalid", [name]: proxy.url };
      await folderOf(env);
      assert.ok(
        asked.includes("http://hub.invalid/org/x/resolve/c0ffee/pytorch_model.bin"),
        asked.join("\n"),
      );
    }
    asked.length = 0;
    await folderOf({ ...newHome(kinds["bin"]!), HTTP_PROXY: proxy.url, NO_PROXY: "127.0.0.1" });
    assert.deepEqual(asked, []);
  });

  test("a redirect to another host carries no token", async () => {
    await using storage = await startServer((request, response) => {
      assert.equal(request.headers.authorization, undefined);
      response.end(weights("pytorch_model.bin"));
    });
    await using front = await startServer(async (request, response) => {
      if (request.url?.endsWith(".bin")) return response.writeHead(302, { location: storage.url }).end();
      const answer = await fetch(hub.url + request.url);
      return response.end(Buffer.from(await answer.arrayBuffer()));
    });
    const env = { ...newHome(kinds["bin"]!), HF_ENDPOINT: front.url, HF_TOKEN: "secret" };
    const folder = await folderOf(env);
    assert.deepEqual(readFileSync(join(folder, "pytorch_model.bin")), weights("pytorch_model.bin"));
  });
});
