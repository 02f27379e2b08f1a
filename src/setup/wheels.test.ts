import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { fetchWheel, keptBytes, readPins, removeWheel, type Wheel } from "./wheels.ts";

const base = temporaryFolder("llava-wheels");

describe("fetchWheel", () => {
  const content = Buffer.from("a wheel's bytes");
  const wheel: Wheel = {
    package: "some-lib",
    version: "1.0",
    hashes: ["0".repeat(64), createHash("sha256").update(content).digest("hex")],
  };
  let home: string;
  let env: Record<string, string>;
  beforeEach(() => {
    home = mkdtempSync(join(base, "home-"));
    const bin = join(home, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "content"), content);
    // Answers what Python it is, else stands for "pip download": notes its arguments and copies the wheel.
    const script = `#!/bin/sh
[ "$1" = -c ] && { echo python 3.8.18; echo pip 23.0.1; exit; }
echo "$@" >> ${home}/calls
while [ $# -gt 0 ]; do [ "$1" = --dest ] && dest="$2"; shift; done
cp ${bin}/content "$dest/Some_Lib-1.0-cp313-cp313-linux.whl"
`;
    writeFileSync(join(bin, "python3"), script, { mode: 0o755 });
    env = { PATH: [bin, "/usr/bin", "/bin"].join(delimiter), LLAVA_HOME: join(home, "cache") };
  });
  const calls = (): string[] => readFileSync(join(home, "calls"), "utf8").trim().split("\n");

  test("downloads for the wheels' Python, whatever the running one is", async () => {
    await fetchWheel(wheel, { env });
    assert.match(
      calls()[0]!,
      /-m pip download .*--only-binary=:all: --python-version 3\.13 .*--require-hashes/,
    );
  });

  test("keeps what it has downloaded until it is removed, and checks it again", async () => {
    const path = await fetchWheel(wheel, { env });
    assert.equal(await fetchWheel(wheel, { env }), path);
    assert.equal(calls().length, 1);
    assert.equal(await keptBytes(env), content.length);

    writeFileSync(path, "cut");
    assert.equal(await fetchWheel(wheel, { env }), path);
    assert.deepEqual(readFileSync(path), content);
    assert.equal(calls().length, 2);

    await removeWheel(path);
    await fetchWheel(wheel, { env });
    assert.equal(calls().length, 3);
  });

  test("starts over what a killed run was downloading", async () => {
    const staging = join(env["LLAVA_HOME"]!, "wheels/some-lib.partial/tmp");
    mkdirSync(staging, { recursive: true });
    writeFileSync(join(staging, "half.whl"), "half");
    const path = await fetchWheel(wheel, { env });
    assert.deepEqual(readFileSync(path), content);
    assert.deepEqual(readdirSync(join(env["LLAVA_HOME"]!, "wheels")), ["Some_Lib-1.0-cp313-cp313-linux.whl"]);
  });

  test("a cache that cannot be written is told before anything is asked for", async () => {
    writeFileSync(join(home, "file"), "");
    await assert.rejects(fetchWheel(wheel, { env: { ...env, LLAVA_HOME: join(home, "file/cache") } }), {
      code: "setup",
      message: /cannot be written/,
      hint: /LLAVA_HOME/,
    });
    assert.equal(existsSync(join(home, "calls")), false);
  });
});

test("pins are read from pip's format, for this platform", async () => {
  const path = join(base, "requirements.txt");
  const [a, b] = ["a".repeat(64), "b".repeat(64)];
  const other = process.platform === "linux" ? "darwin" : "linux";
  writeFileSync(
    path,
    `# words\none==1.2.3 \\\n    --hash=sha256:${a} \\\n    --hash=sha256:${b}\n` +
      `two==4; sys_platform == "${process.platform}" \\\n    --hash=sha256:${a}\n` +
      `three==5; sys_platform == "${other}" --hash=sha256:${b}\n`,
  );
  assert.deepEqual(await readPins(path), [
    { package: "one", version: "1.2.3", hashes: [a, b] },
    { package: "two", version: "4", hashes: [a] },
  ]);
});
