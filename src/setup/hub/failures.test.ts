import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  cut,
  etagOf,
  type HubFiles,
  instead,
  newHubHome,
  startHub,
  type TestHub,
} from "../../../test/support/hub.ts";
import { startServer } from "../../../test/support/server.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { downloadHubModel } from "./download.ts";
import type { HubOptions } from "./place.ts";

const base = temporaryFolder("llava-hub-failures");

const WEIGHTS = "model.safetensors";
const content = Buffer.from(Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) % 251));
const files: HubFiles = { "config.json": Buffer.from('{"model_type":"llava"}'), [WEIGHTS]: content };

interface Home {
  env: Record<string, string>;
  storage: string;
}

function newHome(hub: { url: string }, more: Record<string, string> = {}): Home {
  const env = { ...newHubHome(base, hub), ...more };
  return { env, storage: join(env.HF_HOME, "hub/models--org--x") };
}

const id = { repository: "org/x", revision: "main" };
const download = (env: Record<string, string>, options: HubOptions = {}): Promise<string> =>
  downloadHubModel(id, { env, pause: 1, ...options });
const weightsIn = (folder: string): Buffer => readFileSync(join(folder, WEIGHTS));
const hasNoWeights = ({ storage }: Home): boolean =>
  !existsSync(join(storage, "blobs", etagOf(WEIGHTS, content)));

/** Requests for the weights are answered by `respond`, whose first argument counts them. */
function onWeights(
  hub: TestHub,
  respond: (at: number, ...request: Parameters<TestHub["intercept"]>) => boolean | undefined,
): void {
  let at = 0;
  hub.intercept = (request, response, asked) =>
    asked === WEIGHTS && (respond(at++, request, response, asked) ?? true);
}

describe("a download that goes wrong", () => {
  test("goes on where it was cut, however often", async () => {
    const cuts = fc.uniqueArray(fc.nat(content.length - 1), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (places, tellsLength) => {
        await using hub = await startHub(files);
        const ends = places.toSorted((a, b) => a - b);
        const starts: number[] = [];
        onWeights(hub, (at, request, response) => {
          const start = Number(request.headers.range?.match(/\d+/)?.[0] ?? 0);
          starts.push(start);
          if (ends[at] === undefined) return false;
          const length = tellsLength ? { "content-length": content.length - start } : {};
          const range = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
          response.writeHead(start > 0 ? 206 : 200, { ...length, ...(start > 0 && range) });
          cut(response, content.subarray(start, ends[at]));
          return true;
        });
        const { env } = newHome(hub);
        assert.deepEqual(weightsIn(await download(env, { retries: 6 })), content);
        assert.deepEqual(starts, [0, ...ends]);
      }),
      { numRuns: 10 },
    );
  });

  test("gives up when no byte comes any more, and goes on in the next run", async () => {
    await using hub = await startHub(files);
    const ranges: (string | undefined)[] = [];
    onWeights(hub, (at, request, response) => {
      ranges.push(request.headers.range);
      if (at > 3) return false;
      if (at > 0) return void response.destroy();
      response.writeHead(200, { "content-length": content.length });
      cut(response, content.subarray(0, 2000));
      return true;
    });
    const home = newHome(hub);
    await assert.rejects(download(home.env, { retries: 2 }), { code: "network", hint: /continues/ });
    assert.ok(hasNoWeights(home));
    assert.deepEqual(weightsIn(await download(home.env)), content);
    assert.deepEqual(ranges, [undefined, ...Array(4).fill("bytes=2000-")]);
    assert.deepEqual(readdirSync(join(home.storage, ".llava")), []);
  });

  test("takes the whole where a range was asked for, or a range that begins elsewhere", async () => {
    for (const [status, headers, start] of [
      [200, {}, 0],
      [206, { "content-range": `bytes 1000-4999/5000` }, 1000],
    ] as const) {
      await using hub = await startHub(files);
      onWeights(hub, (at, _, response) => {
        if (at > 1) return false;
        if (at === 1) return void response.writeHead(status, headers).end(content.subarray(start));
        response.writeHead(200, { "content-length": content.length });
        cut(response, content.subarray(0, 2000));
        return true;
      });
      const { env } = newHome(hub);
      assert.deepEqual(weightsIn(await download(env)), content);
    }
  });

  test("refuses another length, at once where it is told", async () => {
    for (const [body, headers, message] of [
      [content.subarray(1), { "content-length": 4999 }, /4999 bytes, expected 5000/],
      [Buffer.concat([content, content]), { "content-length": 10000 }, /10000 bytes, expected 5000/],
      [Buffer.concat([content, content]), { "transfer-encoding": "chunked" }, /more than 5000 bytes came/],
      [content.subarray(1), { "transfer-encoding": "chunked" }, /ended after 4999 of 5000 bytes/],
    ] as const) {
      await using hub = await startHub(files);
      onWeights(hub, (_, __, response) => void response.writeHead(200, headers).end(body));
      const home = newHome(hub);
      await assert.rejects(download(home.env, { retries: 0 }), { code: "network", message });
      assert.ok(hasNoWeights(home));
    }
  });

  test("begins anew when the file changes on the way, and refuses what is another in the end", async () => {
    for (const [last, isRefused] of [
      [content, false],
      [Buffer.alloc(content.length, 9), true],
    ] as const) {
      await using hub = await startHub(files);
      onWeights(hub, (at, request, response) => {
        const isFirst = at === 0;
        response.setHeader("ETag", `"${isFirst ? "a" : "b"}"`);
        if (!isFirst) return void hub.send(request, response, last);
        response.writeHead(200, { "content-length": content.length });
        cut(response, Buffer.alloc(2000, 5));
        return true;
      });
      const home = newHome(hub);
      const running = download(home.env);
      if (isRefused) await assert.rejects(running, { code: "network", message: /another SHA-256/ });
      else assert.deepEqual(weightsIn(await running), content);
      assert.equal(hasNoWeights(home), isRefused);
      assert.equal(hub.requests.filter((name) => name === WEIGHTS).length, 3);
    }
  });

  test("refuses a small file that is another than git's hash says", async () => {
    await using hub = await startHub(files);
    hub.intercept = instead("config.json", (response) => response.end('{"model_type":"lava"} '));
    const { env } = newHome(hub);
    await assert.rejects(download(env), { code: "network", message: /another git hash/ });
  });
});

describe("a redirect", () => {
  test("to another host takes the range along and the token not", async () => {
    const asked: (string | undefined)[][] = [];
    await using hub = await startHub(files);
    await using store = await startServer((request, response) => {
      asked.push([request.headers.authorization, request.headers.range]);
      if (asked.length > 1) return hub.send(request, response, content);
      response.writeHead(200, { "content-length": content.length });
      return cut(response, content.subarray(0, 2000));
    });
    onWeights(hub, (_, __, response) => void response.writeHead(302, { location: `${store.url}/a` }).end());
    const { env } = newHome(hub, { HF_TOKEN: "secret" });
    assert.deepEqual(weightsIn(await download(env)), content);
    assert.deepEqual([...hub.authorization], ["Bearer secret"]);
    assert.deepEqual(asked, [
      [undefined, undefined],
      [undefined, "bytes=2000-"],
    ]);
  });

  test("to a path of the same host keeps the token, as for a model that was renamed", async () => {
    await using hub = await startHub(files);
    await using front = await startServer((request, response) => {
      if (request.url?.startsWith("/old")) assert.equal(request.headers.authorization, "Bearer secret");
      const location = request.url!.replace(/org\/old/, "org/x");
      if (location !== request.url) return response.writeHead(307, { location }).end();
      hub.authorization.add(request.headers.authorization);
      return fetch(hub.url + request.url).then(async (answer) => {
        response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
      });
    });
    const { env } = newHome(front, { HF_TOKEN: "secret" });
    const folder = await downloadHubModel({ ...id, repository: "org/old" }, { env });
    assert.deepEqual(weightsIn(folder), content);
    assert.deepEqual([...hub.authorization], ["Bearer secret", undefined]);
  });

  test("of a mirror whose listing has no hashes tells them itself, without its store being asked", async () => {
    await using hub = await startHub(files);
    const asked: string[] = [];
    await using store = await startServer((request, response) => {
      asked.push(request.method!);
      hub.send(request, response, content);
    });
    hub.intercept = (_, response, name) => {
      if (name === "listing") {
        const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
        response.end(JSON.stringify({ sha: hub.commit, siblings }));
        return true;
      }
      if (!name.endsWith(WEIGHTS)) return false;
      const headers = {
        location: store.url,
        "X-Linked-Etag": `"${etagOf(WEIGHTS, content)}"`,
        "X-Linked-Size": content.length,
        ETag: 'W/"another"',
      };
      response.writeHead(302, headers).end();
      return true;
    };
    const home = newHome(hub);
    assert.deepEqual(weightsIn(await download(home.env)), content);
    assert.deepEqual(asked, ["GET"]);
    assert.deepEqual(
      readdirSync(join(home.storage, "blobs")).sort(),
      Object.entries(files)
        .map(([name, bytes]) => etagOf(name, bytes))
        .sort(),
    );
  });
});
