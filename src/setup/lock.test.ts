import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "./lock.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-lock-"));
after(() => rmSync(folder, { recursive: true }));

describe("withLock", () => {
  test("runs one at a time and tells the others that they wait", async () => {
    const path = join(folder, "one");
    let running = 0;
    let waits = 0;
    const work = async (): Promise<void> => {
      assert.equal(++running, 1);
      await sleep(20);
      running--;
    };
    const options = { interval: 5, onWait: () => waits++ };
    await Promise.all([1, 2, 3].map(() => withLock(path, work, options)));
    assert.equal(waits, 2);
    assert.ok(!existsSync(path));
  });

  test("is released when the work fails", async () => {
    const path = join(folder, "failing");
    await assert.rejects(
      withLock(path, () => Promise.reject(new Error("work failed"))),
      /work failed/,
    );
    assert.equal(await withLock(path, async () => "next"), "next");
  });

  test("takes over the lock of a process that has ended", async () => {
    const path = join(folder, "abandoned");
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    writeFileSync(path, `${pid} ${hostname()}`);
    assert.equal(await withLock(path, async () => "taken"), "taken");
  });

  test("does not take over a lock from another machine, and can be aborted while it waits", async () => {
    const path = join(folder, "foreign");
    writeFileSync(path, "1 another-machine");
    const signal = AbortSignal.timeout(30);
    await assert.rejects(
      withLock(path, async () => "never", { interval: 5, signal }),
      { name: "AbortError" },
    );
    assert.ok(existsSync(path));
  });
});
