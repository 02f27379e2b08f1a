import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { etagOf, type HubFiles, newHubHome, startHub } from "../../../test/support/hub.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { listModels } from "../model-list.ts";
import { resolveModel } from "../models.ts";
import type { ResolveOptions } from "../options.ts";

const base = temporaryFolder("llava-hub-layout");

const files: HubFiles = {
  "config.json": Buffer.from('{"model_type":"llava"}'),
  "model.safetensors": Buffer.from("weights".repeat(9)),
  "README.md": Buffer.from("words"),
  "deeper/config.json": Buffer.from('{"model_type":"llava","deeper":true}'),
  "deeper/model.safetensors": Buffer.from("deeper weights"),
};

type Env = Record<"LLAVA_HOME" | "HF_HUB_CACHE" | "HF_ENDPOINT", string>;
function newHome(hub: { url: string }): Env {
  const env = newHubHome(base, hub);
  return { ...env, HF_HUB_CACHE: join(env.HF_HOME, "cache") };
}

async function pathOf(name: string, env: Env, options: ResolveOptions = {}): Promise<string> {
  const found = await resolveModel(name, { env, ...options });
  return found.kind === "folder" ? found.path : "";
}

/** Everything in a folder, with what links say. */
function describeTree(folder: string): Record<string, string> {
  const names = (readdirSync(folder, { recursive: true }) as string[]).sort();
  const entries = names
    .map((name): [string, string] => {
      const found = lstatSync(join(folder, name));
      if (found.isSymbolicLink()) return [name, readlinkSync(join(folder, name))];
      return [name, found.isFile() ? readFileSync(join(folder, name), "latin1") : ""];
    })
    .filter(([name]) => !lstatSync(join(folder, name)).isDirectory());
  return Object.fromEntries(entries);
}

const blobOf = (name: string): string => etagOf(name, files[name]!);

describe("the hub's cache", () => {
  test("has blobs, snapshots and refs as Python's client lays them out", async () => {
    await using hub = await startHub(files);
    const env = newHome(hub);
    const folder = await pathOf("org/x", env);
    const [config, weights] = ["config.json", "model.safetensors"].map(blobOf) as [string, string];
    const { "CACHEDIR.TAG": mark, ...tree } = describeTree(env.HF_HUB_CACHE);
    assert.match(mark!, /^Signature: 8a477f597d28d172789f06886806bc55\n/);
    const repository = "models--org--x";
    assert.deepEqual(tree, {
      [`.locks/${repository}/${weights}.lock`]: "",
      [`${repository}/blobs/${config}`]: files["config.json"]!.toString("latin1"),
      [`${repository}/blobs/${weights}`]: files["model.safetensors"]!.toString("latin1"),
      [`${repository}/refs/main`]: hub.commit,
      [`${repository}/snapshots/${hub.commit}/config.json`]: `../../blobs/${config}`,
      [`${repository}/snapshots/${hub.commit}/model.safetensors`]: `../../blobs/${weights}`,
    });
    assert.equal(folder, join(env.HF_HUB_CACHE, repository, "snapshots", hub.commit));
  });

  test("a commit leaves no reference, a folder of the repository is as deep as it is there", async () => {
    await using hub = await startHub(files);
    const env = newHome(hub);
    const folder = await pathOf(`org/x@${hub.commit}:deeper`, env);
    const storage = join(env.HF_HUB_CACHE, "models--org--x");
    assert.equal(folder, join(storage, "snapshots", hub.commit, "deeper"));
    assert.deepEqual(describeTree(folder), {
      "config.json": `../../../blobs/${blobOf("deeper/config.json")}`,
      "model.safetensors": `../../../blobs/${blobOf("deeper/model.safetensors")}`,
    });
    assert.equal(existsSync(join(storage, "refs")), false);
    hub.requests = [];
    assert.equal(await pathOf(`org/x@${hub.commit}:deeper`, env), folder);
    assert.equal(await pathOf("org/x:deeper", env, { offline: true, revision: hub.commit }), folder);
    assert.deepEqual(hub.requests, []);
    const listed = listModels(env).find(({ name }) => name === `org/x@${hub.commit}`);
    assert.equal(listed?.complete, true);
    await assert.rejects(pathOf("org/x:nowhere", env), { code: "config", message: /no folder nowhere/ });
  });

  test("one of several GGUF files is had by a part of its name, in a folder without the others", async () => {
    const ggufs = ["m-Q4_K_M.gguf", "m-Q8_0.gguf", "mmproj-m-f16.gguf"];
    await using hub = await startHub(Object.fromEntries(ggufs.map((name) => [name, Buffer.from(name)])));
    const env = newHome(hub);
    await assert.rejects(pathOf("org/x", env), { hint: /Name one of m-Q4_K_M\.gguf, m-Q8_0\.gguf/ });
    const [four, eight] = [await pathOf("org/x:Q4_K_M", env), await pathOf("org/x:q8_0", env)];
    assert.deepEqual(readdirSync(four).sort(), ["m-Q4_K_M.gguf", "mmproj-m-f16.gguf"]);
    assert.deepEqual(readdirSync(eight).sort(), ["m-Q8_0.gguf", "mmproj-m-f16.gguf"]);
    assert.equal(readFileSync(join(four, "m-Q4_K_M.gguf"), "utf8"), "m-Q4_K_M.gguf");
    assert.deepEqual(hub.requests, ["listing", "listing", ggufs[0], ggufs[2], ggufs[1]]);
    hub.requests = [];
    assert.equal(await pathOf("org/x:Q4_K_M", env, { offline: true }), four);
    assert.deepEqual(hub.requests, []);
    const listed = listModels(env).filter(({ name }) => name === "org/x");
    assert.deepEqual(
      listed.map(({ complete }) => complete),
      [true],
    );
  });

  test("what is found online is the branch's newest commit only where it is asked for", async () => {
    await using hub = await startHub(files);
    const env = newHome(hub);
    const first = await pathOf("org/x", env);
    hub.files = { ...files, "config.json": Buffer.from('{"model_type":"llava","second":true}') };
    hub.requests = [];
    assert.equal(await pathOf("org/x", env), first);
    const second = await pathOf("org/x", env, { refresh: true });
    assert.notEqual(second, first);
    assert.deepEqual(hub.requests, ["listing", "config.json"]);
    assert.equal(await pathOf("org/x", env), second);
    assert.equal(
      realpathSync(join(first, "model.safetensors")),
      realpathSync(join(second, "model.safetensors")),
    );
    await hub[Symbol.asyncDispose]();
    const told: string[] = [];
    assert.equal(await pathOf("org/x", env, { refresh: true, report: (line) => told.push(line) }), second);
    assert.match(told.join("\n"), /cannot be reached.*used as it is/);
  });

  test("blobs of a store that all models share are found through their links", async () => {
    await using hub = await startHub(files);
    const env = newHome(hub);
    const folder = await pathOf("org/x", env);
    const blob = join(folder, "../../blobs", blobOf("model.safetensors"));
    const shared = join(env.HF_HUB_CACHE, "blobs/ab/abcdef");
    mkdirSync(dirname(shared), { recursive: true });
    renameSync(blob, shared);
    symlinkSync("../../blobs/ab/abcdef", blob);
    hub.requests = [];
    assert.equal(await pathOf("org/x", env), folder);
    rmSync(join(folder, "model.safetensors"));
    assert.equal(await pathOf("org/x", env), folder);
    assert.deepEqual(readFileSync(join(folder, "model.safetensors")), files["model.safetensors"]);
    assert.deepEqual(hub.requests, []);
    assert.equal(lstatSync(blob).isSymbolicLink(), true);
  });

  test("without symbolic links files have their names themselves", async () => {
    await using hub = await startHub(files);
    const env = { ...newHome(hub), HF_HUB_DISABLE_SYMLINKS: "1" };
    const folder = await pathOf("org/x", env);
    assert.equal(lstatSync(join(folder, "model.safetensors")).isFile(), true);
    hub.requests = [];
    assert.equal(await pathOf("org/x", env), folder);
    assert.deepEqual(hub.requests, []);
  });

  test("where it cannot be written, what it lacks lies in this project's own", async () => {
    await using hub = await startHub(files);
    const env = newHome(hub);
    mkdirSync(dirname(env.HF_HUB_CACHE));
    writeFileSync(env.HF_HUB_CACHE, "a file, below which there are no folders");
    const folder = await pathOf("org/x", env);
    assert.equal(folder, join(env.LLAVA_HOME, "hub/models--org--x/snapshots", hub.commit));
    hub.requests = [];
    assert.equal(await pathOf("org/x", env, { offline: true }), folder);
    assert.deepEqual(hub.requests, []);
  });

  test("a whole one is used without a byte written to it", async () => {
    await using hub = await startHub(files);
    const filled = newHome(hub);
    await pathOf("org/x", filled);
    const before = describeTree(filled.HF_HUB_CACHE);
    const env = { ...newHome(hub), HF_HUB_CACHE: filled.HF_HUB_CACHE };
    hub.requests = [];
    for (let round = 0; round < 2; round++)
      assert.match(
        await pathOf("org/x", env),
        new RegExp(`^${filled.HF_HUB_CACHE}/models--org--x/snapshots/`),
      );
    assert.deepEqual(hub.requests, ["listing"]);
    assert.deepEqual(describeTree(filled.HF_HUB_CACHE), before);
  });

  test("what another model's folder has under the same hash is not fetched again", async () => {
    await using hub = await startHub(files);
    const env = newHome(hub);
    const blob = join(env.HF_HUB_CACHE, "models--org--y/blobs", blobOf("model.safetensors"));
    mkdirSync(dirname(blob), { recursive: true });
    writeFileSync(blob, files["model.safetensors"]!);
    await pathOf("org/x", env);
    assert.deepEqual(hub.requests, ["listing", "config.json"]);
  });
});
