import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, openServer } from "../../../test/support/ask-server.ts";
import { startServer } from "../../../test/support/server.ts";

const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
const image = (url: string) => user([{ type: "image_url", image_url: { url } }]);

describe("addresses that clients name", () => {
  /** Every way to write an address of this machine or its network, and what is none. */
  const forms = (port: string): string[] => [
    ...[
      "127.0.0.1",
      "127.1",
      "127.0.1",
      "2130706433",
      "0x7f000001",
      "0x7f.1",
      "0177.0.0.1",
      "017700000001",
    ].map((host) => `http://${host}:${port}/a.png`),
    ...[
      "localhost",
      "LOCALHOST",
      "localhost.",
      "%6c%6f%63alhost",
      "foo.localhost",
      "１２７.0.0.1",
      "127。0。0。1",
    ].map((host) => `http://${host}:${port}/a.png`),
    ...[
      "0.0.0.0",
      "0",
      "10.0.0.1",
      "172.16.0.1",
      "192.168.0.1",
      "169.254.169.254",
      "100.64.0.1",
      "198.18.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "192.0.2.1",
    ].map((host) => `http://${host}:${port}/latest/meta-data`),
    ...[
      "::1",
      "::",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::127.0.0.1",
      "64:ff9b::7f00:1",
      "64:ff9b:1::7f00:1",
      "fe80::1",
      "fc00::1",
      "fd00:ec2::254",
      "2002:7f00:1::",
      "2001:0:7f00:1::",
      "2001:db8::1",
      "ff02::1",
    ].map((host) => `http://[${host}]:${port}/a.png`),
    `http://public.example@127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}#@public.example/`,
    `http://public.example\\@127.0.0.1:${port}/`,
    `http:\\\\127.0.0.1:${port}/`,
    `http:/127.0.0.1:${port}/`,
    `http:127.0.0.1:${port}/`,
    `https://127.0.0.1:${port}/`,
    `HTTP://127.0.0.1:${port}/`,
    ` http://127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x`,
    `http://127.0.0.1\t:${port}/`,
    "http://",
    "http://:80/",
    "http://[::1",
    "http://no-such-name.invalid/",
  ];

  test("lead nowhere inside, with one answer for all", async () => {
    let visits = 0;
    await using trap = await startServer((_, response) => {
      visits++;
      response.end("secret");
    });
    const { url } = await openServer({ limits: { fetchSeconds: 2 } });
    const { port } = new URL(trap.url);
    const all = forms(port);
    assert.ok(all.length >= 40);
    const told = new Set<string>();
    for (const form of all) {
      const { status, body, text } = await ask(`${url}/v1/chat/completions`, { body: image(form) });
      assert.equal(status, 400, `${form}: ${text}`);
      told.add(body.error.message);
      assert.equal(body.error.code, "image_fetch_failed", form);
    }
    assert.equal(told.size, 1);
    assert.equal(visits, 0);
  });

  test("are no files, whether these exist or not", async () => {
    const { url } = await openServer();
    const files = [
      "/etc/passwd",
      "/no/such/file",
      "file:///etc/passwd",
      "file:///no/such",
      "FILE:/etc/passwd",
      "file://localhost/etc/passwd",
      "../package.json",
      "package.json",
      "C:\\boot.ini",
      "\\\\host\\share",
      "ftp://127.0.0.1/a",
      "gopher://127.0.0.1/",
      "blob:x",
      "javascript:0",
      "unix:/var/run/docker.sock",
      "",
    ];
    const told = new Set<string>();
    for (const file of files)
      for (const body of [image(file), user([{ type: "video_url", video_url: { url: file } }])]) {
        const { status, body: answer } = await ask(`${url}/v1/chat/completions`, { body });
        assert.equal(status, 400, file);
        told.add(answer.error.message);
      }
    assert.equal(told.size, 1);
  });

  test("are not waited for too long, nor read too far", async () => {
    await using slow = await startServer((request, response) => {
      if (request.url === "/slow") return void response.writeHead(200).write("x");
      response.writeHead(200).end(Buffer.alloc(2_000_000));
    });
    const { url } = await openServer({
      allowPrivate: true,
      limits: { fetchSeconds: 0.2, imageBytes: 1_000_000 },
    });
    for (const path of ["/slow", "/large"]) {
      const { body } = await ask(`${url}/v1/chat/completions`, { body: image(`${slow.url}${path}`) });
      assert.equal(body.error.code, "image_fetch_failed", path);
    }
  });
});
