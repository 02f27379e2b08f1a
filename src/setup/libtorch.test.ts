import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { findLibtorch } from "./libtorch.ts";

const base = temporaryFolder("llava-libtorch");

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function fakeTorch(root: string, version: string, { headers = true, cuda = false } = {}): string {
  const extension = process.platform === "darwin" ? "dylib" : "so";
  write(join(root, `lib/libtorch_cpu.${extension}`), "");
  write(
    join(root, "version.py"),
    `from typing import Optional\n\n__version__ = '${version}'\ndebug = False\n`,
  );
  if (headers) write(join(root, "include/ATen/core/dispatch/Dispatcher.h"), "");
  if (cuda) write(join(root, `lib/libtorch_cuda.${extension}`), "");
  return root;
}

/** A python3 that answers every script with the path of a torch package's __init__.py. */
function fakePython(folder: string, torch: string): string {
  write(join(folder, "python3"), `#!/bin/sh\necho ${join(torch, "__init__.py")}\n`);
  chmodSync(join(folder, "python3"), 0o755);
  return folder;
}

describe("findLibtorch", () => {
  let folder: string;
  let env: Record<string, string>;
  beforeEach(() => {
    folder = mkdtempSync(join(base, "case-"));
    env = { LLAVA_HOME: join(folder, "home"), PATH: join(folder, "bin") };
  });

  test("prefers LIBTORCH to the cache, and the cache to Python's torch", () => {
    const python = fakeTorch(join(folder, "site/torch"), "2.13.0");
    fakePython(join(folder, "bin"), python);
    assert.deepEqual(findLibtorch(env).libtorch, { root: python, version: "2.13.0", source: "python" });

    const cached = fakeTorch(join(folder, "home/libtorch-2.15.0/torch"), "2.15.0+cu132");
    assert.deepEqual(findLibtorch(env).libtorch, { root: cached, version: "2.15.0+cu132", source: "cache" });

    const named = fakeTorch(join(folder, "named"), "2.11.0", { cuda: true });
    const { libtorch } = findLibtorch({ ...env, LIBTORCH: named });
    assert.equal(libtorch?.root, named);
    assert.equal(libtorch?.source, "env");
    assert.match(libtorch?.cudaLibrary ?? "", /libtorch_cuda/);
  });

  test("finds nothing on an empty machine", () => {
    assert.deepEqual(findLibtorch(env), { rejected: [] });
  });

  for (const version of ["2.10.1", "2.16.0", "1.13.1", "3.0.0"]) {
    test(`rejects version ${version} and says which are supported`, () => {
      fakePython(join(folder, "bin"), fakeTorch(join(folder, "torch"), version));
      const { libtorch, rejected } = findLibtorch(env);
      assert.equal(libtorch, undefined);
      assert.match(rejected[0]?.reason ?? "", new RegExp(`version ${version}, and 2.11 to 2.15`));
    });
  }

  test("rejects a libtorch without headers and goes on to the next", () => {
    fakeTorch(join(folder, "home/libtorch-2.15.0/torch"), "2.15.0", { headers: false });
    const python = fakeTorch(join(folder, "site/torch"), "2.14.1");
    fakePython(join(folder, "bin"), python);
    const { libtorch, rejected } = findLibtorch(env);
    assert.equal(libtorch?.root, python);
    assert.deepEqual(
      rejected.map(({ source, reason }) => [source, reason]),
      [["cache", "no C++ headers in include/"]],
    );
  });

  test("a LIBTORCH that cannot be used is not replaced by another one", () => {
    fakeTorch(join(folder, "home/libtorch-2.15.0/torch"), "2.15.0");
    const { libtorch, rejected } = findLibtorch({ ...env, LIBTORCH: join(folder, "nowhere") });
    assert.equal(libtorch, undefined);
    assert.equal(rejected[0]?.source, "env");
  });

  test("reads the version of the C++ archive", () => {
    const root = fakeTorch(join(folder, "archive"), "2.15.0");
    rmSync(join(root, "version.py"));
    write(join(root, "build-version"), "2.12.1+cpu\n");
    assert.equal(findLibtorch({ ...env, LIBTORCH: root }).libtorch?.version, "2.12.1+cpu");
  });
});
