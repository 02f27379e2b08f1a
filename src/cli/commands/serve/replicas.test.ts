import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpServer } from "../../../serving/http/index.ts";
import { tellParent } from "./replicas.ts";

test("a replica goes on telling its parent while it says its last answers, when it listens no more", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const told: unknown[] = [];
  const before = { send: process.send, connected: process.connected };
  Object.assign(process, { send: (message: unknown) => told.push(message), connected: true });
  try {
    let isListening = true;
    const server = {
      isStuck: false,
      get url() {
        assert.ok(isListening, "it has no address any more");
        return "http://127.0.0.1:1";
      },
    };
    tellParent(server as HttpServer);
    isListening = false;
    context.mock.timers.tick(2000);
    server.isStuck = true;
    context.mock.timers.tick(1000);
    assert.deepEqual(told, Array(3).fill({ url: "http://127.0.0.1:1" }));
  } finally {
    Object.assign(process, before);
    process.removeAllListeners("disconnect");
  }
});
