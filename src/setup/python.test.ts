import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { findPython, requirePython } from "./python.ts";

const base = temporaryFolder("llava-python");

describe("findPython", () => {
  let bin: string;
  beforeEach(() => {
    bin = mkdtempSync(join(base, "bin-"));
  });
  /** A program that says what a Python of that version with that pip does. */
  const install = (name: string, version: string, pip?: string): void => {
    const lines = [`echo python ${version}`, pip ? `echo pip ${pip}` : "echo no pip >&2; exit 1"];
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines.join("\n")}\n`, { mode: 0o755 });
  };

  test("takes python3, any from 3.8 on", async () => {
    for (const version of ["3.8.0", "3.9.18", "3.10.13", "3.14.0", "3.15.0a1"]) {
      install("python3", version, "23.0.1");
      assert.deepEqual((await findPython({ PATH: bin })).python, {
        path: join(bin, "python3"),
        version,
        pip: "23.0.1",
      });
    }
  });

  test("goes on to others where python3 will not do", async () => {
    for (const [version, pip] of [
      ["3.6.8", "18.1"],
      ["2.7.18", "19.2"],
      ["3.8.2", "20.0.2"],
      ["3.12.1", undefined],
    ] as const) {
      install("python3", version, pip);
      install("python3.11", "3.11.2", "23.0.1");
      const { python, rejected } = await findPython({ PATH: bin });
      assert.equal(python?.path, join(bin, "python3.11"));
      assert.equal(rejected[0]?.path, join(bin, "python3"));
    }
  });

  test("says in one line what the only one lacks, and which would do", async () => {
    const cases: [() => void, RegExp, RegExp][] = [
      [() => {}, /Python 3\.8 or newer with pip is needed on the PATH.*there is none/, /Install it/],
      [
        () => install("python3", "3.7.16", "22.0.4"),
        /3\.8 or newer.*python3 is 3\.7\.16/,
        /newer one on the PATH/,
      ],
      [() => install("python3", "3.12.1"), /is 3\.12\.1, but has no pip/, /ensurepip/],
      [
        () => install("python3", "3.8.2", "20.0.2"),
        /pip 20\.0\.2 is older than 20\.3/,
        /install --upgrade pip/,
      ],
      [
        () =>
          writeFileSync(join(bin, "python3"), "#!/bin/sh\necho 'pyenv: python3: not found'; exit 127\n", {
            mode: 0o755,
          }),
        /does not run \(status 127: pyenv: python3: not found\)/,
        /Repair it/,
      ],
    ];
    for (const [prepare, message, hint] of cases) {
      prepare();
      await assert.rejects(requirePython({ PATH: bin }), { code: "setup", message, hint });
    }
  });
});
