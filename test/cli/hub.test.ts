import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { llava as run } from "../support/cli.ts";
import { startHub, type TestHub } from "../support/hub.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const home = temporaryFolder("llava-cli-hub");

let hub: TestHub;
before(async () => {
  hub = await startHub({
    "config.json": Buffer.from('{"model_type":"llava"}'),
    "model.safetensors": Buffer.from("weights"),
    "smaller/config.json": Buffer.from('{"model_type":"llava","smaller":true}'),
    "smaller/model.safetensors": Buffer.from("fewer weights"),
  });
});
after(() => hub[Symbol.asyncDispose]());

const llava = (args: readonly string[], env: Record<string, string> = {}) =>
  run(args, {
    env: { LLAVA_HOME: join(home, "llava"), HF_HOME: join(home, "hf"), HF_ENDPOINT: hub.url, ...env },
  });

describe("a model on the hub", () => {
  test("is pulled by name, revision and folder, and listed", async () => {
    const snapshot = join(home, "hf/hub/models--org--x/snapshots", hub.commit);
    for (const [args, folder] of [
      [["org/x"], snapshot],
      [[`org/x@${hub.commit}`], snapshot],
      [["org/x:smaller", "--revision", hub.commit], join(snapshot, "smaller")],
    ] as const) {
      const { status, stdout, stderr } = await llava(["model", "pull", ...args]);
      assert.equal(status, 0, stderr);
      assert.equal(stdout.trim(), folder);
      assert.ok(readFileSync(join(folder, "model.safetensors")).length > 0);
    }
    const { stdout } = await llava(["model", "list", "--json"]);
    const listed = (JSON.parse(stdout) as { name: string; complete: boolean }[]).find(
      ({ name }) => name === "org/x",
    );
    assert.equal(listed?.complete, true);
  });

  test("that cannot be had ends with a line on why, and one on what to do", async () => {
    const gated = (command: readonly string[], more: Record<string, string> = {}) =>
      llava(command, { HF_HOME: join(home, "none"), LLAVA_HOME: join(home, "none"), ...more });
    const cases = [
      [["model", "pull", "org/y"], {}, /shows no model org\/y/, /Check the name/],
      [["model", "pull", "org/x", "--revision", "v9"], {}, /no revision v9/, /branches, tags or commits/],
      [["model", "pull", "org/x@v9", "--revision", "v8"], {}, /org\/x@v9 at revision "v8"/, /either/],
      [["model", "pull", "org/x:nothing"], {}, /no folder nothing/, /folders with models are smaller/],
      [["model", "pull", "org/x"], { HF_HUB_OFFLINE: "1" }, /not on this machine/, /HF_HUB_OFFLINE unset/],
      [["model", "pull", "--revision", "v1"], {}, /has no revision v1/, /on the hub/],
    ] as const;
    for (const [command, more, message, hint] of cases) {
      const { status, stderr } = await gated(command, more);
      assert.notEqual(status, 0);
      const [first = "", second = ""] = stderr.trim().split("\n").slice(-2);
      assert.match(first, message);
      assert.match(second, hint);
    }
    hub.intercept = (_, response, asked) => {
      if (asked !== "model.safetensors") return false;
      response.writeHead(403, { "X-Error-Code": "GatedRepo" }).end();
      return true;
    };
    const { status, stderr } = await gated(["model", "pull", "org/x"]);
    hub.intercept = () => false;
    assert.notEqual(status, 0);
    assert.match(stderr, /org\/x is gated[^\n]*\n[^\n]*Accept the terms on http[^\n]*HF_TOKEN/);
  });
});
