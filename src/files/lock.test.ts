import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { withLock } from "./lock.ts";

const folder = temporaryFolder("llava-lock");

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

  test("takes over a lock of another machine only when it gives no sign of life, naming file and holder", async () => {
    const path = join(folder, "foreign");
    const options = { interval: 5, patience: 300 };
    writeFileSync(path, "12 another-machine");
    const beating = setInterval(() => utimesSync(path, new Date(), new Date()), 20);
    const told: string[] = [];
    const waiting = withLock(path, async () => "never", {
      ...options,
      onWait: (holder) => told.push(holder),
      signal: AbortSignal.timeout(700),
    });
    await assert.rejects(waiting, { name: "AbortError" });
    clearInterval(beating);
    assert.equal(told.length, 1);
    assert.ok(told[0]!.includes(path) && told[0]!.includes("process 12 on another-machine"), told[0]);

    assert.equal(await withLock(path, async () => "taken", options), "taken");
    assert.ok(!existsSync(path));
  });

  test("takes over an old lock of another machine at once, and one of another boot of this one", async () => {
    const path = join(folder, "old");
    writeFileSync(path, "12 another-machine");
    utimesSync(path, new Date(0), new Date(0));
    assert.equal(await withLock(path, async () => "taken"), "taken");

    writeFileSync(path, `${process.pid} ${hostname()} another-boot token`);
    assert.equal(await withLock(path, async () => "taken", { interval: 5, patience: 50 }), "taken");
  });

  test("shows a sign of life while it is held, and leaves a lock that is no longer its own", async () => {
    const path = join(folder, "beat");
    await withLock(
      path,
      async () => {
        const before = statSync(path).mtimeMs;
        await sleep(200);
        assert.ok(statSync(path).mtimeMs > before);
        writeFileSync(path, "12 another-machine");
      },
      { patience: 100 },
    );
    assert.equal(readFileSync(path, "utf8"), "12 another-machine");
  });

  test("one of several that find an abandoned lock gets it", async () => {
    const path = join(folder, "contended");
    writeFileSync(path, "12 another-machine");
    utimesSync(path, new Date(0), new Date(0));
    let running = 0;
    const work = async (): Promise<void> => {
      assert.equal(++running, 1);
      await sleep(5);
      running--;
    };
    await Promise.all(Array.from({ length: 20 }, () => withLock(path, work, { interval: 1 })));
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("contended")),
      [],
    );
  });

  test("a folder that cannot be written is an error that says so", async () => {
    writeFileSync(join(folder, "file"), "");
    await assert.rejects(
      withLock(join(folder, "file/inside/lock"), async () => "never"),
      { code: "setup", message: /cannot be written/, hint: /LLAVA_HOME/ },
    );
  });
});
