import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startServer } from "../../test/support/server.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { downloadFile } from "./download.ts";

const folder = temporaryFolder("llava-download");

const content = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => (index * 7) % 251));
const sha256 = createHash("sha256").update(content).digest("hex");
const options = { bytes: content.length, hash: sha256, pause: 1 };

function serveRange(request: IncomingMessage, response: ServerResponse): void {
  const start = Number(request.headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
  if (start >= content.length) response.writeHead(416).end();
  else response.writeHead(start > 0 ? 206 : 200).end(content.subarray(start));
}

describe("downloadFile", () => {
  test("continues a part that is on disk", async () => {
    const ranges: (string | undefined)[] = [];
    await using server = await startServer((request, response) => {
      ranges.push(request.headers.range);
      serveRange(request, response);
    });
    const path = join(folder, "resumed");
    writeFileSync(`${path}.partial`, content.subarray(0, 70_000));
    const reported: number[] = [];
    await downloadFile(server.url, path, { ...options, onBytes: (received) => reported.push(received) });
    assert.deepEqual(readFileSync(path), content);
    assert.deepEqual(ranges, ["bytes=70000-"]);
    assert.ok(reported[0]! > 70_000);
    assert.equal(reported.at(-1), content.length);
    assert.ok(!existsSync(`${path}.partial`));

    await downloadFile(server.url, path, options);
    assert.equal(ranges.length, 1, "a complete file is not asked for again");
  });

  test("continues after the connection breaks and after a server error", async () => {
    let requests = 0;
    await using server = await startServer((request, response) => {
      requests++;
      if (requests === 1) {
        response.writeHead(200, { "content-length": content.length });
        response.write(content.subarray(0, 50_000), () => response.destroy());
      } else if (requests === 2) response.writeHead(503).end();
      else serveRange(request, response);
    });
    const path = join(folder, "broken");
    await downloadFile(server.url, path, options);
    assert.deepEqual(readFileSync(path), content);
    assert.equal(requests, 3);
  });

  test("starts over where the server ignores ranges", async () => {
    await using server = await startServer((_, response) => response.end(content));
    const path = join(folder, "ignored");
    writeFileSync(`${path}.partial`, content.subarray(0, 1000));
    await downloadFile(server.url, path, options);
    assert.deepEqual(readFileSync(path), content);
  });

  test("removes a part that does not belong to the file", async () => {
    await using server = await startServer(serveRange);
    const path = join(folder, "longer");
    writeFileSync(`${path}.partial`, Buffer.concat([content, content]));
    await downloadFile(server.url, path, options);
    assert.deepEqual(readFileSync(path), content);
  });

  test("refuses and removes a file with another hash or length", async () => {
    await using server = await startServer((_, response) => response.end(content));
    const path = join(folder, "bad");
    const wrong: [object, RegExp][] = [
      [{ hash: "0".repeat(64) }, /SHA-256/],
      [{ hash: "0".repeat(40) }, /git hash/],
      [{ bytes: content.length + 1 }, /200000 bytes, expected 200001/],
    ];
    for (const [difference, message] of wrong) {
      await assert.rejects(downloadFile(server.url, path, { ...options, ...difference }), {
        code: "network",
        message,
      });
      assert.ok(!existsSync(path));
      assert.ok(!existsSync(`${path}.partial`));
    }
  });

  test("does not repeat what was refused, and gives up on a dead server", async () => {
    let requests = 0;
    await using server = await startServer((_, response) => {
      requests++;
      response.writeHead(403).end();
    });
    await assert.rejects(downloadFile(server.url, join(folder, "refused"), options), {
      message: /status 403/,
    });
    assert.equal(requests, 1);
    await server[Symbol.asyncDispose]();
    await assert.rejects(downloadFile(server.url, join(folder, "dead"), { ...options, retries: 1 }), {
      code: "network",
      hint: /continues/,
    });
  });

  test("stops when it is aborted and keeps the part", async () => {
    const controller = new AbortController();
    await using server = await startServer((_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 50_000));
    });
    const path = join(folder, "aborted");
    const onBytes = (): void => controller.abort();
    const running = downloadFile(server.url, path, { ...options, onBytes, signal: controller.signal });
    await assert.rejects(running, { name: "AbortError" });
    assert.ok(existsSync(`${path}.partial`));
  });
});
