import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { runCommand } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-command-"));
after(() => rmSync(folder, { recursive: true }));

describe("runCommand", () => {
  test("returns status and last lines, and keeps everything in the log", async () => {
    const log = join(folder, "logs/run.log");
    const lines: string[] = [];
    const script = "for i in $(seq 100); do echo line $i; done; exit 3";
    const { status, tail } = await runCommand("sh", ["-c", script], {
      log,
      onLine: (line) => lines.push(line),
    });
    assert.equal(status, 3);
    assert.equal(lines.length, 100);
    assert.equal(tail.at(-1), "line 100");
    assert.ok(tail.length < 100);
    assert.equal(readFileSync(log, "utf8").trim().split("\n").length, 100);
  });

  test("an abort also stops what the program has started", async () => {
    const controller = new AbortController();
    const started = performance.now();
    const running = runCommand("sh", ["-c", "sh -c 'echo up; sleep 30; echo down'; true"], {
      signal: controller.signal,
      onLine: () => controller.abort(),
    });
    await assert.rejects(running, { name: "AbortError" });
    assert.ok(performance.now() - started < 10_000);
  });

  test("a program that does not exist is an error", async () => {
    await assert.rejects(runCommand(join(folder, "nothing"), []), { code: "ENOENT" });
  });
});
