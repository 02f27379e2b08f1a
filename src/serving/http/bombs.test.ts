import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { ask, openServer } from "../../../test/support/ask-server.ts";
import { FakeServedModel } from "../../../test/support/fake-served-model.ts";

const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
const image = (url: string) => user([{ type: "image_url", image_url: { url } }]);

/** Sends bytes as they are and gives back all that comes until the end, or until it has been quiet. */
async function raw(url: string, bytes: string, { quietMs = 3000 } = {}): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("error", () => {});
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.write(bytes);
  await Promise.race([ended, wait(quietMs, undefined, { ref: false })]);
  socket.destroy();
  return text;
}

/** A PNG whose header promises more than there is. */
function pngOf(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(100))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const base64 = (bytes: Uint8Array, type = "image/png"): string =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;

describe("bombs", () => {
  test("of pixels, frames and bytes are refused before they are decoded", async () => {
    const { url } = await openServer({ limits: { totalFrames: 50, imageBytes: 100_000, images: 3 } });
    const post = (body: object) => ask(`${url}/v1/chat/completions`, { body });
    const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .jpeg({ progressive: true })
      .toBuffer();
    const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]));
    const scans = Buffer.concat([
      jpeg.subarray(0, -2),
      ...Array.from({ length: 190 }, () => jpeg.subarray(scan, -2)),
      jpeg.subarray(-2),
    ]);
    const frame = await sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const other = await sharp({ create: { width: 2, height: 2, channels: 3, background: "blue" } })
      .png()
      .toBuffer();
    const gif = await sharp(
      Array.from({ length: 60 }, (_, i) => (i % 2 ? frame : other)),
      { join: { animated: true } },
    )
      .gif()
      .toBuffer();
    const small = base64(frame);
    const bombs: readonly (readonly [body: object, status: number])[] = [
      [image(base64(pngOf(40_000, 40_000))), 400],
      [image(base64(scans, "image/jpeg")), 400],
      [
        image(
          base64(
            Buffer.from(
              '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>',
            ),
            "image/svg+xml",
          ),
        ),
        400,
      ],
      [image(base64(frame.subarray(0, 40))), 400],
      [image(base64(Buffer.alloc(120_000))), 413],
      [user([{ type: "video_url", video_url: { url: base64(gif, "image/gif") } }]), 413],
      [
        user([
          {
            type: "video_url",
            video_url: { url: `data:video/jpeg;base64,${Array(200).fill("AAAA").join(",")}` },
          },
        ]),
        400,
      ],
      [user(Array.from({ length: 4 }, () => ({ type: "image_url", image_url: { url: small } }))), 400],
    ];
    for (const [body, expected] of bombs) {
      const { status, text } = await post(body);
      assert.equal(status, expected, `${JSON.stringify(body).slice(0, 120)} → ${text}`);
      assert.ok(!/etc|passwd|\d+\.\d+\.\d+\.\d+|node_modules/.test(text), text);
    }
    assert.equal((await post(user("still here"))).status, 200);
  });

  test("what all requests hold together has an end, and is given back", async () => {
    const pixels = pngOf(1000, 1000);
    const { url } = await openServer(
      { limits: { totalPixels: 1_500_000, imagePixels: 2_000_000 } },
      new FakeServedModel({ pace: 5 }),
    );
    const [one, two] = [pixels, pngOf(100, 100)].map((bytes) => image(base64(bytes)));
    // What cannot be decoded fails in the model, which has all of it by then.
    const first = await ask(`${url}/v1/chat/completions`, { body: one });
    assert.deepEqual(
      [first.status, first.body.error.code, first.body.error.param],
      [400, "image_decode_failed", "messages[0].content[0]"],
    );
    for (let turn = 0; turn < 4; turn++) {
      const again = await ask(`${url}/v1/chat/completions`, { body: one });
      assert.equal(again.body.error.code, "image_decode_failed");
    }
    const large = user([one, two, one].flatMap((each) => each!.messages[0]!.content as object[]));
    const tooMuch = await ask(`${url}/v1/chat/completions`, { body: large });
    assert.deepEqual([tooMuch.status, tooMuch.body.error.code], [413, "request_too_large"]);
  });

  test("bodies: too many bytes while they arrive, encodings, depth, values", async () => {
    const { url } = await openServer({ limits: { bodyBytes: 100_000, jsonNodes: 1000 } });
    const path = `${url}/v1/chat/completions`;
    const large = await ask(path, {
      body: "x".repeat(5_000_000),
      headers: { "content-type": "application/json" },
    });
    assert.deepEqual([large.status, large.body.error.code], [413, "request_too_large"]);
    const host = new URL(url).host;
    const chunked = await raw(
      url,
      `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n${`4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(8)}`,
      { quietMs: 500 },
    );
    assert.match(chunked, /^HTTP\/1\.1 413 /);
    const declared = await raw(
      url,
      `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 99999999999\r\n\r\n`,
      { quietMs: 500 },
    );
    assert.match(declared, /^HTTP\/1\.1 413 /);
    const expecting = await raw(
      url,
      `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n`,
      { quietMs: 500 },
    );
    assert.match(expecting, /^HTTP\/1\.1 413 /);
    for (const [body, headers, status, code] of [
      ["{}", { "content-encoding": "gzip" }, 415, "unsupported_encoding"],
      ["{}", { "content-type": "multipart/form-data" }, 415, "unsupported_media_type"],
      [`{"a":${"[".repeat(40_000)}`, {}, 400, "json_too_deep"],
      [`{"a":${'{"b":'.repeat(100)}1${"}".repeat(100)}}`, {}, 400, "json_too_deep"],
      [`{"a":[${"1,".repeat(2000)}1]}`, {}, 413, "json_too_large"],
      ["[]", {}, 400, "invalid_json"],
      ["null", {}, 400, "invalid_json"],
      ["{", {}, 400, "invalid_json"],
      ["", {}, 400, "invalid_json"],
      [Buffer.from([0x7b, 0xff, 0x7d]), {}, 400, "invalid_json"],
    ] as const) {
      const { status: told, body: answer } = await ask(path, { method: "POST", body, headers });
      assert.deepEqual([told, answer.error.code], [status, code], String(body).slice(0, 30));
    }
    const parts = await ask(path, { body: user(Array.from({ length: 10_000 }, () => ({}))) });
    assert.equal(parts.status, 413);
  });

  test("targets that are no address are answered, and the server goes on", async () => {
    const { url } = await openServer();
    const { host } = new URL(url);
    const get = (target: string) =>
      raw(url, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    for (const target of ["//", "///", "//[::1", "http://[", "/\\\\", "*", "//elsewhere/health"])
      assert.match(await get(target), /^HTTP\/1\.1 404 .*not_found/s, target);
    assert.match(await get("/health"), /^HTTP\/1\.1 200 /);
  });

  test("slow heads and slow bodies are given up", async () => {
    const { url } = await openServer({ limits: { headerSeconds: 1, bodySeconds: 2 } });
    const host = new URL(url).host;
    const [head, body] = await Promise.all([
      raw(url, `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nX-A`, { quietMs: 8000 }),
      raw(url, `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\n{"a`, {
        quietMs: 8000,
      }),
    ]);
    assert.match(head, /^HTTP\/1\.1 408 .*request_too_slow/s);
    assert.match(body, /^HTTP\/1\.1 (408|400) /s);
    assert.match(await raw(url, "nonsense\r\n\r\n"), /^HTTP\/1\.1 400 .*invalid_http/s);
    assert.match(
      await raw(url, `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431 /,
    );
  });

  test("a reader that does not read is given up, and its work with it", async () => {
    const model = new FakeServedModel({ answer: () => "x".repeat(200_000), contextLength: 400_000 });
    const { url } = await openServer({ limits: { readerSeconds: 0.5, bodyBytes: 10_000_000 } }, model);
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname).pause();
    const body = JSON.stringify({ ...user("x"), stream: true, logprobs: true, top_logprobs: 20 });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    for (let waited = 0; model.stopped === 0 && waited < 100; waited++) await wait(100);
    socket.destroy();
    assert.equal(model.stopped, 1);
    assert.equal(model.state().running, 0);
  });
});
