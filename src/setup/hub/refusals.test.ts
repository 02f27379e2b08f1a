import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type HubFiles, instead, newHubHome, startHub } from "../../../test/support/hub.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { resolveModel } from "../models.ts";
import { downloadHubModel } from "./download.ts";
import type { HubOptions } from "./place.ts";

const base = temporaryFolder("llava-hub-refusals");

const WEIGHTS = "model.safetensors";
const content = Buffer.from("weights");
const files: HubFiles = { "config.json": Buffer.from('{"model_type":"llava"}'), [WEIGHTS]: content };

const download = (env: Record<string, string>, options: HubOptions = {}): Promise<string> =>
  downloadHubModel({ repository: "org/x", revision: "main" }, { env, pause: 1, ...options });
const weightsIn = (folder: string): Buffer => readFileSync(join(folder, WEIGHTS));

describe("a hub that refuses", () => {
  const refusing = async (
    status: number,
    headers: OutgoingHttpHeaders,
    { where = WEIGHTS, more = {} }: { where?: string; more?: Record<string, string> } = {},
  ) => {
    await using hub = await startHub(files);
    hub.intercept = instead(where, (response) => response.writeHead(status, headers).end());
    const error = await resolveModel("org/x", { env: { ...newHubHome(base, hub), ...more } }).then(
      () => undefined,
      (reason) => reason as Error & { code: string; hint: string },
    );
    assert.equal(hub.requests.filter((name) => name === where).length, 1, "it is asked once");
    return { code: error?.code, message: error?.message ?? "", hint: error?.hint ?? "", url: hub.url };
  };

  test("because of terms says where to accept them, and for whom", async () => {
    for (const status of [401, 403])
      for (const where of ["listing", WEIGHTS]) {
        const gated = { "X-Error-Code": "GatedRepo" };
        const anonymous = await refusing(status, gated, { where });
        assert.equal(anonymous.code, "config");
        assert.match(anonymous.message, /org\/x is gated/);
        assert.match(anonymous.hint, new RegExp(`${anonymous.url}/org/x.*set HF_TOKEN`));
        const known = await refusing(status, gated, { where, more: { HUGGING_FACE_HUB_TOKEN: "t" } });
        assert.match(known.hint, /org\/x with the account of the token \(HUGGING_FACE_HUB_TOKEN\)/);
      }
  });

  test("is told from one that has no such model, revision or file, or takes no such token", async () => {
    const listing = { where: "listing" };
    const cases = [
      [await refusing(401, {}, listing), /shows no model org\/x.*401/, /set HF_TOKEN/],
      [
        await refusing(404, { "X-Error-Code": "RepoNotFound" }, listing),
        /shows no model org\/x/,
        /Check the name/,
      ],
      [
        await refusing(404, { "X-Error-Code": "RevisionNotFound" }, listing),
        /no revision main/,
        /tree\/main/,
      ],
      [
        await refusing(404, { "X-Error-Code": "EntryNotFound" }),
        /no model\.safetensors at revision main/,
        /again/,
      ],
      [
        await refusing(403, { "X-Error-Message": "Access to this resource is disabled." }, listing),
        /disabled org\/x/,
        /another model/,
      ],
      [
        await refusing(
          401,
          { "X-Error-Message": "Invalid credentials in Authorization header" },
          { where: "listing", more: { HF_TOKEN: "old" } },
        ),
        /does not accept the token of HF_TOKEN/,
        /settings\/tokens/,
      ],
    ] as const;
    for (const [error, message, hint] of cases) {
      assert.equal(error.code, "config", error.message);
      assert.match(error.message, message);
      assert.match(error.hint, hint);
    }
  });
});

describe("a hub that is busy", () => {
  test("is asked again, when it says", async () => {
    for (const status of [408, 429, 500, 502, 503, 504])
      for (const where of ["listing", WEIGHTS]) {
        await using hub = await startHub(files);
        let refusals = 0;
        hub.intercept = (_, response, asked) => {
          if (asked !== where || refusals++ > 1) return false;
          response.writeHead(status, { "Retry-After": "0" }).end();
          return true;
        };
        const env = newHubHome(base, hub);
        assert.deepEqual(weightsIn(await download(env, { pause: 100_000 })), content);
      }
  });

  test("is not waited for longer than is of use", async () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
    for (const headers of [
      { "Retry-After": "3600" },
      { "Retry-After": inAnHour },
      { RateLimit: '"resolvers";r=0;t=3600' },
    ]) {
      await using hub = await startHub(files);
      hub.intercept = instead("listing", (response) => response.writeHead(429, headers).end());
      await assert.rejects(download(newHubHome(base, hub)), {
        code: "network",
        message: /status 429, to be asked again in 3(600|599) s/,
      });
      assert.equal(hub.requests.length, 1);
    }
  });

  test("is not waited for where what is here can be used", async () => {
    await using hub = await startHub(files);
    const env = newHubHome(base, hub);
    const folder = await download(env);
    rmSync(join(env.LLAVA_HOME, "hub"), { recursive: true });
    hub.intercept = instead("listing", (response) => response.writeHead(503, { "Retry-After": "60" }).end());
    const told: string[] = [];
    const found = await resolveModel("org/x", { env, report: (line) => told.push(line) });
    assert.deepEqual(found, { kind: "folder", path: folder });
    assert.match(told.join("\n"), /503.*used as it is/);
  });
});
