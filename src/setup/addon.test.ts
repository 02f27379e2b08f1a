import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { ensureNative, hashSources, locateNative } from "./addon.ts";

const base = temporaryFolder("llava-addon");

function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

describe("ensureNative", () => {
  let folder: string;
  let native: string;
  let bin: string;
  let env: { LIBTORCH: string; LLAVA_HOME: string; PATH: string };

  beforeEach(() => {
    folder = mkdtempSync(join(base, "case-"));
    native = join(folder, "native");
    bin = join(folder, "bin");
    const torch = join(folder, "torch");
    write(join(torch, `lib/libtorch_cpu.${process.platform === "darwin" ? "dylib" : "so"}`), "");
    write(join(torch, "version.py"), "__version__ = '2.15.0'\n");
    write(join(torch, "include/ATen/core/dispatch/Dispatcher.h"), "");
    write(join(native, "CMakeLists.txt"), "project(fake)\n");
    write(join(native, "src/addon.cc"), "int one;\n");
    // Counts its builds and leaves an "addon" in the folder that follows --build.
    write(
      join(bin, "cmake"),
      `#!/bin/sh\n[ "$1" = --build ] || exit 0\necho built >> ${folder}/builds\n: > "$2/llava.node"\n`,
      0o755,
    );
    for (const name of ["c++", "ninja"]) write(join(bin, name), "#!/bin/sh\n", 0o755);
    env = {
      LIBTORCH: torch,
      LLAVA_HOME: join(folder, "home"),
      PATH: [bin, "/usr/bin", "/bin"].join(delimiter),
    };
  });

  const builds = (): number => readFileSync(join(folder, "builds"), "utf8").trim().split("\n").length;

  test("builds once, and again only when a source changes", async () => {
    assert.equal(locateNative(env, native), undefined);
    const built = await ensureNative({ env, nativeFolder: native });
    assert.ok(existsSync(built.addonPath));
    assert.deepEqual(locateNative(env, native), built);
    await ensureNative({ env, nativeFolder: native });
    assert.equal(builds(), 1);

    write(join(native, "src/addon.cc"), "int two;\n");
    assert.equal(locateNative(env, native), undefined);
    await ensureNative({ env, nativeFolder: native });
    assert.equal(builds(), 2);
  });

  test("two at the same time build once", async () => {
    const both = [1, 2].map(() => ensureNative({ env, nativeFolder: native }));
    const [first, second] = await Promise.all(both);
    assert.deepEqual(first, second);
    assert.equal(builds(), 1);
  });

  test("is not found any more when its libtorch has gone", async () => {
    await ensureNative({ env, nativeFolder: native });
    rmSync(env.LIBTORCH, { recursive: true });
    assert.equal(locateNative(env, native), undefined);
  });

  test("a failed compilation shows the errors and where the log is", async () => {
    write(join(bin, "cmake"), '#!/bin/sh\necho "addon.cc:1:1: error: no such type"\nexit 1\n', 0o755);
    await assert.rejects(ensureNative({ env, nativeFolder: native }), (error: Error & { hint?: string }) => {
      assert.match(error.message, /addon\.cc:1:1: error: no such type/);
      const log = error.hint?.match(/in (\S+build\.log)/)?.[1];
      assert.match(readFileSync(log!, "utf8"), /no such type/);
      return true;
    });
    assert.equal(locateNative(env, native), undefined);
  });

  test("a build that was cut is neither taken nor gone on with", async () => {
    const { addonPath } = await ensureNative({ env, nativeFolder: native });
    const folder = dirname(addonPath);
    renameSync(folder, `${folder}.partial`);
    assert.equal(locateNative(env, native), undefined);
    write(join(`${folder}.partial`, "build/half.o"), "half");
    assert.equal((await ensureNative({ env, nativeFolder: native })).addonPath, addonPath);
    assert.equal(builds(), 2);
    assert.deepEqual(readdirSync(folder).sort(), ["llava.node", "torch"]);
  });

  test("builds in the cache and writes nothing beside the sources, from which either comes back", async () => {
    const { addonPath } = await ensureNative({ env, nativeFolder: native });
    assert.ok(addonPath.startsWith(join(env.LLAVA_HOME, "addon")), addonPath);
    assert.deepEqual(readdirSync(native).sort(), ["CMakeLists.txt", "src"]);
    assert.equal(readlinkSync(join(dirname(addonPath), "torch")), env.LIBTORCH);

    write(join(native, "src/addon.cc"), "int two;\n");
    assert.notEqual((await ensureNative({ env, nativeFolder: native })).addonPath, addonPath);
    write(join(native, "src/addon.cc"), "int one;\n");
    assert.equal(locateNative(env, native)?.addonPath, addonPath);
    assert.equal(builds(), 2);
  });

  test("is built again for another version of libtorch in the same folder", async () => {
    const before = await ensureNative({ env, nativeFolder: native });
    write(join(env.LIBTORCH, "version.py"), "__version__ = '2.14.0'\n");
    assert.equal(locateNative(env, native), undefined);
    assert.notEqual((await ensureNative({ env, nativeFolder: native })).addonPath, before.addonPath);
    assert.equal(builds(), 2);
  });

  test("a prebuilt addon for something else is left alone, and one that does not load is told of", async () => {
    const addonPath = join(folder, "prebuilt.node");
    write(addonPath, "not a library");
    const fitting = { libtorch: "2.15.0", sources: hashSources(native) };
    const told: string[] = [];
    const report = (line: string): void => void told.push(line);
    for (const change of [{ libtorch: "2.15.0+cpu" }, { sources: "other" }, {}]) {
      const prebuilt = { addonPath, key: { ...fitting, ...change } };
      const home = join(folder, `home-${JSON.stringify(change).replace(/\W/g, "")}`);
      const own = { env: { ...env, LLAVA_HOME: home }, nativeFolder: native, prebuilt, report };
      const built = await ensureNative(own);
      assert.equal(readFileSync(built.addonPath, "utf8"), "");
    }
    assert.equal(builds(), 3);
    const refusals = told.filter((line) => line.startsWith("The prebuilt addon does not load here: "));
    assert.equal(refusals.length, 1);
    assert.match(refusals[0]!, /prebuilt|llava\.node/);
  });

  test("missing build tools are told before libtorch is downloaded", async () => {
    for (const name of ["cmake", "c++", "ninja"]) rmSync(join(bin, name));
    write(join(bin, "python3"), `#!/bin/sh\necho "$@" >> ${folder}/python\nexit 1\n`, 0o755);
    const empty = { PATH: bin, LLAVA_HOME: join(folder, "empty") };
    await assert.rejects(ensureNative({ env: empty, nativeFolder: native }), {
      message: /to build the addon/,
    });
    assert.doesNotMatch(readFileSync(join(folder, "python"), "utf8"), /pip/);
  });

  test("missing build tools are named together with how to install them", async () => {
    for (const name of ["cmake", "c++", "ninja"]) rmSync(join(bin, name));
    const without = { ...env, PATH: bin };
    await assert.rejects(ensureNative({ env: without, nativeFolder: native }), {
      code: "setup",
      message: /CMake and a C\+\+ compiler and ninja or make/,
      hint: /install/i,
    });
  });
});
