import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type HubFiles, newHubHome, startHub } from "../../../test/support/hub.ts";
import { startServer } from "../../../test/support/server.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { resolveModel } from "../models.ts";
import { hubCache } from "./account.ts";

const base = temporaryFolder("llava-hub-account");

const files: HubFiles = {
  "config.json": Buffer.from('{"model_type":"llava"}'),
  "pytorch_model.bin": Buffer.from("weights"),
};

async function folderOf(env: Record<string, string>): Promise<string> {
  const found = await resolveModel("org/x", { env });
  return found.kind === "folder" ? found.path : "";
}

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
      await using hub = await startHub(files);
      const env = newHubHome(base, hub);
      mkdirSync(env.HF_HOME, { recursive: true });
      writeFileSync(join(env.HF_HOME, "token"), "from-file\n");
      await folderOf({ ...env, ...variables });
      assert.deepEqual([...hub.authorization], [expected]);
    }
  });

  test("HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE keep from the hub", async () => {
    for (const variable of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
      await using hub = await startHub(files);
      const env = newHubHome(base, hub);
      await assert.rejects(folderOf({ ...env, [variable]: "1" }), {
        code: "setup",
        hint: new RegExp(variable),
      });
      await assert.rejects(folderOf({ ...env, [variable]: "True" }), { code: "setup" });
      const snapshot = await folderOf({ ...env, LLAVA_HOME: join(base, variable) });
      hub.requests = [];
      assert.equal(await folderOf({ ...env, [variable]: "YES" }), snapshot);
      assert.deepEqual(hub.requests, []);
      await folderOf({ ...env, [variable]: "0" });
      assert.deepEqual(hub.requests, ["listing"]);
    }
  });

  test("HTTP_PROXY carries listing and files, except to hosts of NO_PROXY", async () => {
    const asked: string[] = [];
    await using hub = await startHub(files);
    await using proxy = await startServer((request, response) => {
      asked.push(request.url ?? "");
      const { pathname, search } = new URL(request.url ?? "");
      fetch(hub.url + pathname + search).then(async (answer) =>
        response.end(Buffer.from(await answer.arrayBuffer())),
      );
    });
    for (const name of ["HTTP_PROXY", "http_proxy"]) {
      const env = { ...newHubHome(base, hub), HF_ENDPOINT: "http://hub.invalid", [name]: proxy.url };
      await folderOf(env);
      assert.ok(
        asked.includes(`http://hub.invalid/org/x/resolve/${hub.commit}/pytorch_model.bin`),
        asked.join("\n"),
      );
    }
    asked.length = 0;
    await folderOf({ ...newHubHome(base, hub), HTTP_PROXY: proxy.url, NO_PROXY: "127.0.0.1" });
    assert.deepEqual(asked, []);
  });

  test("the cache is where Python's client looks for it", async () => {
    const places: [Record<string, string>, string][] = [
      [{ HF_HUB_CACHE: "a", HUGGINGFACE_HUB_CACHE: "b", HF_HOME: "c", XDG_CACHE_HOME: "d" }, "a"],
      [{ HUGGINGFACE_HUB_CACHE: "b", HF_HOME: "c", XDG_CACHE_HOME: "d" }, "b"],
      [{ HF_HOME: "c", XDG_CACHE_HOME: "d" }, "c/hub"],
      [{ XDG_CACHE_HOME: "d" }, "d/huggingface/hub"],
      [{}, join(homedir(), ".cache/huggingface/hub")],
      [{ HF_HOME: "~/c" }, join(homedir(), "c/hub")],
      [{ HF_HOME: "$SCRATCH/c", SCRATCH: "/scratch" }, "/scratch/c/hub"],
      [{ HF_HUB_CACHE: `\${SCRATCH}/c`, SCRATCH: "/scratch" }, "/scratch/c"],
    ];
    for (const [env, expected] of places) assert.equal(hubCache(env), expected);
  });
});
