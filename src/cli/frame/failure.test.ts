import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LlavaError } from "../../errors.ts";
import { reportFailure } from "./failure.ts";

type Options = Parameters<typeof reportFailure>[2];

function report(error: unknown, options?: Options): { status: number; lines: string[] } {
  const lines: string[] = [];
  return { status: reportFailure(error, (line) => lines.push(line), options), lines };
}

describe("reportFailure", () => {
  test("prints message and hint of a LlavaError", () => {
    const error = new LlavaError("image", "a.jpg: cut short", { hint: "Fetch it again." });
    assert.deepEqual(report(error), { status: 1, lines: ["llava: a.jpg: cut short", "Fetch it again."] });
  });

  test("a wrong command line is 2, a stop 130 or, by SIGTERM, 143", () => {
    assert.equal(report(new LlavaError("usage", "no image given")).status, 2);
    const stopped = new LlavaError("aborted", "stopped after step 3", { hint: "--resume goes on." });
    assert.deepEqual(report(stopped), {
      status: 130,
      lines: ["llava: stopped after step 3", "--resume goes on."],
    });
    assert.equal(report(stopped, { stoppedBy: "SIGTERM" }).status, 143);
    assert.deepEqual(report(AbortSignal.abort().reason), { status: 130, lines: ["llava: stopped"] });
  });

  test("a message is one line without control characters, whatever it quotes", () => {
    const error = new LlavaError("image", "a\x1b[31m.jpg: damaged:\n  at byte 3\n", { hint: "one\ntwo" });
    assert.deepEqual(report(error).lines, ["llava: a[31m.jpg: damaged: at byte 3", "one two"]);
  });

  test("the stack of what was not expected is shown only for debugging", () => {
    const error = new TypeError("x is not a function");
    const { status, lines } = report(error);
    assert.equal(status, 1);
    assert.match(lines[1]!, /LLAVA_DEBUG=1/);
    assert.ok(!lines.some((line) => line.includes("failure.test.ts")));
    assert.ok(report(error, { debug: true }).lines.some((line) => line.includes("failure.test.ts")));
  });
});
