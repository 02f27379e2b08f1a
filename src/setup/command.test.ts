import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { runCommand } from "./command.ts";

const folder = temporaryFolder("llava-command");

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

  test("what a killed process has started ends with it", async () => {
    const pids = join(folder, "pids");
    const script = `
      import { runCommand } from ${JSON.stringify(new URL("./command.ts", import.meta.url).href)};
      await runCommand("sh", ["-c", "sh -c 'echo $$ > ${pids}; echo up; sleep 60'; true"], {
        onLine: () => process.kill(process.pid, "SIGKILL"),
      });`;
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
    assert.equal(signal, "SIGKILL");
    const pid = Number(readFileSync(pids, "utf8"));
    const isAlive = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    for (let tries = 0; isAlive() && tries < 100; tries++) await sleep(50);
    assert.equal(isAlive(), false);
  });

  test("a program that does not exist is an error", async () => {
    await assert.rejects(runCommand(join(folder, "nothing"), []), { code: "ENOENT" });
  });
});
