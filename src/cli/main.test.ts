import assert from "node:assert/strict";
import { mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { llava as run } from "../../test/support/cli.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";

const home = temporaryFolder("llava-cli");

const nothingInstalled = {
  LLAVA_HOME: home,
  XDG_CACHE_HOME: home,
  HF_HOME: home,
  HF_ENDPOINT: "http://127.0.0.1:9",
};
const llava = (args: readonly string[], env: Record<string, string> = {}) =>
  run(args, { env: { ...nothingInstalled, ...env } });

describe("llava", () => {
  test("lists its commands, and shows an example for each", async () => {
    const { status, stdout } = await llava(["--help"]);
    assert.equal(status, 0);
    const names = Array.from(stdout.matchAll(/^ {2}([a-z]+) {2,}/gm), ([, name]) => name!);
    assert.ok(names.includes("doctor"));
    const pages = await Promise.all(
      names.map(async (name) => [name, await llava([name, "--help"])] as const),
    );
    for (const [name, page] of pages) {
      assert.equal(page.status, 0, name);
      assert.match(page.stdout, new RegExp(`Example.*\n\\s+llava ${name}`), name);
    }
  });

  test("a wrong command line ends with 2 and says what is wrong", async () => {
    for (const [args, expected] of [
      [["docter"], /unknown command 'docter'[\s\S]*doctor/],
      [["doctor", "--jsn"], /unknown option '--jsn'[\s\S]*--json/],
      [["model", "pull", "a", "b"], /too many arguments/],
    ] as const) {
      const { status, stderr, stdout } = await llava(args);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.match(stderr, expected);
    }
  });

  test("a failure ends with 1: the message on one line, what to do on the next, no stack", async () => {
    const { status, stderr, stdout } = await llava(["model", "info", "lava-smol"]);
    assert.deepEqual([status, stdout], [1, ""]);
    const lines = stderr.trim().split("\n");
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /^llava: .*lava-smol/);
    assert.match(lines[1]!, /llava-smol-135m/);
  });

  test("doctor describes the machine as JSON, with a remedy for each problem, and ends with 1", async () => {
    const { status, stdout, stderr } = await llava(["doctor", "--json"]);
    assert.equal(status, 1);
    const { cache, cacheUnwritable, models, problems, node } = JSON.parse(stdout);
    assert.deepEqual([cache, cacheUnwritable], [home, null]);
    assert.equal(node, process.version);
    assert.equal(models[0].complete, false);
    assert.ok(problems.some(({ what }: { what: string }) => what.includes("llava-smol-135m is not fetched")));
    for (const { remedy } of problems) assert.ok(remedy.length > 0);
    assert.match(stderr, /^llava: \d+ problems? found/);
  });

  test("doctor looks at all that set-up borrows", async () => {
    const bin = mkdtempSync(join(home, "bin-"));
    symlinkSync(process.execPath, join(bin, "node"));
    const bare = await llava(["doctor", "--json"], {
      PATH: bin,
      LLAVA_HOME: join(process.execPath, "below"),
    });
    const { problems, tools, cacheUnwritable } = JSON.parse(bare.stdout);
    assert.deepEqual(tools, { python: null, cmake: null, compiler: null, ninja: null, make: null });
    assert.match(cacheUnwritable, /no folder/);
    const found = problems.map(({ what }: { what: string }) => what).join("\n");
    for (const part of [
      /Python 3\.8/,
      /CMake and a C\+\+ compiler and ninja or make/,
      /cache .*below cannot be written/,
    ])
      assert.match(found, part);

    writeFileSync(join(bin, "python3"), "#!/bin/sh\necho python 3.6.15\necho pip 18.1\n", { mode: 0o755 });
    writeFileSync(join(bin, "cmake"), "#!/bin/sh\necho cmake version 3.16.3\n", { mode: 0o755 });
    const old = await llava(["doctor"], { PATH: bin });
    assert.equal(old.status, 1);
    assert.match(old.stdout, /Python 3\.8 or newer.*python3 is 3\.6\.15/);
    assert.match(old.stdout, /CMake 3\.18 or newer \(\S+cmake is 3\.16\.3\)/);
  });

  test("doctor and setup name a LIBTORCH that cannot be used", async () => {
    const variables = { LIBTORCH: join(home, "nowhere") };
    const [doctor, setup] = await Promise.all([llava(["doctor"], variables), llava(["setup"], variables)]);
    assert.equal(doctor.status, 1);
    assert.match(doctor.stdout, /nowhere \(env\) cannot be used.*\n +Correct or unset LIBTORCH/);
    assert.equal(setup.status, 1);
    assert.match(setup.stderr, /^llava: LIBTORCH=\S+nowhere cannot be used: no lib\/libtorch_cpu/);
  });
});
