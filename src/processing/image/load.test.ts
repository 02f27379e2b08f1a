import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { isPublicAddress } from "./address.ts";
import { decodeImage } from "./decode.ts";
import { loadImage } from "./load.ts";

const png = Buffer.from(
  JSON.parse(readFileSync(new URL("../../../test/fixtures/image/decode.json", import.meta.url), "utf8"))[0]
    .base64,
  "base64",
);
const expected = await decodeImage(png);

describe("loadImage", () => {
  test("path, file: URL, bytes and data: URL give the same image", async () => {
    const folder = temporaryFolder("llava-load");
    const path = join(folder, "a b.png");
    writeFileSync(path, png);
    const base64 = png.toString("base64");
    const percent = [...png].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    const sources = [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      png,
      new Uint8Array(png).buffer,
      new DataView(new Uint8Array(png).buffer),
      new Blob([png]),
      base64,
      base64.replace(/.{76}/g, "$&\n"),
      `data:image/png;base64,${base64}`,
      `data:;base64,${encodeURIComponent(base64)}`,
      `data:image/png,${percent}`,
    ];
    for (const source of sources) assert.deepEqual(await loadImage(source), expected);
  });

  test("refuses a damaged data: URL", async () => {
    await assert.rejects(loadImage("data:image/png;base64"), { code: "image", message: /no comma/ });
    await assert.rejects(loadImage("data:image/png;base64,a*b"), { code: "image", message: /base64/ });
    await assert.rejects(loadImage("data:image/png,%zz"), { code: "image", message: /%-escape/ });
    await assert.rejects(loadImage("data:text/plain,hello"), {
      code: "image",
      message: /text that starts "hello"/,
    });
  });
});

test("a text that is no path is told in short, whatever its length", async () => {
  for (const text of ["iVBOR".repeat(2000), "not base64 ".repeat(2000), "a/".repeat(5000)])
    await assert.rejects(loadImage(text), ({ code, message }: { code: string; message: string }) => {
      assert.equal(code, "image");
      assert.ok(message.length < 400 && /10000|22000/.test(message), message);
      return true;
    });
});

test("hints name limits as the one who opens the image can set them", async () => {
  const hintOf = async (options: object): Promise<string> =>
    await loadImage(png, { maxPixels: 1, ...options }).then(
      () => "",
      ({ hint }) => hint,
    );
  assert.match(await hintOf({}), /raise maxPixels/);
  assert.match(await hintOf({ limits: { maxPixels: "--max-pixels" } }), /raise --max-pixels/);
  assert.equal(await hintOf({ limits: {} }), "scale it down first");
});

describe("loadImage over http", () => {
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    "/image": (_, response) => response.end(png),
    "/html": (_, response) => response.end("<!doctype html><p>sign in"),
    "/missing": (_, response) => response.writeHead(404).end("no"),
    "/hop3": (_, response) => response.writeHead(302, { location: "/hop2" }).end(),
    "/hop2": (_, response) => response.writeHead(301, { location: "hop1" }).end(),
    "/hop1": (_, response) => response.writeHead(307, { location: "/image" }).end(),
    "/loop": (_, response) => response.writeHead(302, { location: "/loop" }).end(),
    "/file": (_, response) => response.writeHead(302, { location: "file:///etc/hostname" }).end(),
    "/silent": () => {},
    "/endless": (_, response) => {
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(4096)));
      };
      response.on("drain", write);
      write();
    },
    "/short": (_, response) => {
      response.writeHead(200, { "content-length": png.length });
      response.write(png.subarray(0, 50), () => response.destroy());
    },
  };
  const server = createServer((request, response) => routes[request.url!.split("?")[0]!]!(request, response));
  let origin = "";
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const load = (path: string, options = {}) => loadImage(origin + path, { allowPrivate: true, ...options });

  test("follows up to three redirects", async () => {
    assert.deepEqual(await load("/image"), expected);
    assert.deepEqual(await load("/hop3"), expected);
    await assert.rejects(load("/loop"), { code: "network", message: /more than 3 redirects/ });
    await assert.rejects(load("/file"), { code: "network", message: /expected http or https, got file:/ });
  });

  test("says what came instead of an image, without the query", async () => {
    await assert.rejects(load("/html?token=secret"), (error: Error & { code: string }) => {
      assert.equal(error.code, "image");
      assert.equal(error.message, `${origin}/html: looks like an HTML page, expected an image`);
      return true;
    });
    await assert.rejects(load("/missing"), { code: "network", message: /answered 404/ });
    await assert.rejects(load("/short"), { code: "network" });
  });

  test("is bounded in size and time, and stops on a signal", async () => {
    await assert.rejects(load("/image", { maxBytes: 20 }), { code: "network", message: /limit is 20 bytes/ });
    await assert.rejects(load("/endless", { maxBytes: 100_000 }), { code: "network", message: /goes on/ });
    await assert.rejects(load("/silent", { timeout: 50 }), { code: "network", message: /within 0.05 s/ });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    await assert.rejects(load("/silent", { signal: controller.signal }), { code: "aborted" });
  });

  test("does not connect to addresses that are not public", async () => {
    const { port } = server.address() as AddressInfo;
    for (const host of [
      "127.0.0.1",
      "localhost",
      "[::1]",
      "0x7f.1",
      "[::ffff:127.0.0.1]",
      "169.254.169.254",
    ]) {
      await assert.rejects(loadImage(`http://${host}:${port}/image`, { timeout: 2000 }), {
        code: "network",
        message: /is not a public address, refused/,
      });
    }
  });
});

test("isPublicAddress", () => {
  const refused =
    "0.0.0.0 10.1.2.3 100.64.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1 224.0.0.1 255.255.255.255 " +
    ":: ::1 ::ffff:8.8.8.8 64:ff9b::808:808 fc00::1 fd12::1 fe80::1 ff02::1 2001::1 2001:db8::1 2002:808:808::1 example.org";
  for (const address of refused.split(" ")) assert.equal(isPublicAddress(address), false, address);
  for (const address of "8.8.8.8 172.32.0.1 172.15.0.1 192.167.1.1 2606:4700::1111 2a00:1450::1".split(" ")) {
    assert.equal(isPublicAddress(address), true, address);
  }
});
