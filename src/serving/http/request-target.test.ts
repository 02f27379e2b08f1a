import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import { targetOf } from "./request-target.ts";

const pathOf = (url: string) => targetOf({ url } as IncomingMessage).pathname;

test("a target's path, with and without the server in front", () => {
  assert.equal(pathOf("/v1/models?a=b"), "/v1/models");
  assert.equal(pathOf("http://elsewhere/v1/models"), "/v1/models");
  assert.equal(pathOf("//elsewhere/health"), "//elsewhere/health");
});

test("whatever a request line says has a path", () => {
  for (const url of ["//", "///", "//[::1", "http://[", "/\\", "*", ""]) pathOf(url);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."/\\:[]?#@%*ah. ") }), (url) => void pathOf(url)),
  );
});
