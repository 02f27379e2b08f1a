/**
 * Packs the package and holds it against npm's conventions (publint, are-the-types-wrong), then installs it with its
 * prebuilt addon into an empty project and uses it on Node 20, 22, 24 and 26. Older Nodes and what is not in npm's cache
 * are fetched from the package index.
 *
 *   node scripts/check-package.ts [--lint]     without the installing
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cacheFolder,
  defaultModel,
  ensureNative,
  prebuiltPackage,
  resolveModel,
} from "../src/setup/index.ts";
import {
  checkTypes,
  llavaIn,
  packCheckout,
  runIn,
  tinyModel,
  writeProgram,
} from "../test/support/installed-package.ts";
import { pathOf } from "./architecture.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-check-package-"));
const started = performance.now();
const tell = (line: string): void =>
  console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);
const npm = (cwd: string, ...args: string[]): void => {
  execFileSync("npm", [...args, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel", "error"], {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
  });
};

try {
  const tarball = await packCheckout(folder);
  execFileSync("npx", ["publint", "run", tarball, "--strict"], { cwd: pathOf(""), stdio: "inherit" });
  const attw = ["attw", tarball, "--profile", "esm-only", "--format", "ascii"];
  execFileSync("npx", attw, { cwd: pathOf(""), stdio: "inherit" });
  tell("packed, and as npm and TypeScript expect it");
  if (!process.argv.includes("--lint")) await useEverywhere(tarball);
} finally {
  rmSync(folder, { recursive: true });
}

async function useEverywhere(tarball: string): Promise<void> {
  const { libtorch } = await ensureNative({ report: console.error });
  const project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "type": "module" }\n');
  execFileSync(process.execPath, [pathOf("scripts/pack-prebuilt.ts"), "--output", folder], {
    stdio: "ignore",
  });
  npm(project, "install", tarball, join(folder, `${prebuiltPackage}-${readVersion(project, tarball)}.tgz`));
  writeProgram(project);
  tell("installed");

  // A cache of its own with the libtorch and models of this machine, and programs without CMake and compilers.
  const home = join(folder, "home");
  mkdirSync(home);
  for (const name of readdirSync(cacheFolder()))
    if (/^(?:libtorch-|models$)/.test(name)) symlinkSync(join(cacheFolder(), name), join(home, name));
  const programs = join(folder, "programs");
  mkdirSync(programs);
  symlinkSync(process.execPath, join(programs, "node"));
  const bare = {
    LLAVA_HOME: home,
    PATH: programs,
    ...(libtorch.source !== "cache" && { LIBTORCH: libtorch.root }),
  };
  const isHere = await resolveModel(defaultModel, { offline: true }).then(
    () => true,
    () => false,
  );
  const model = isHere ? defaultModel : tinyModel;
  const chat = ["chat", model, "examples/soccer.jpg", "What is in this photo?", "--max-tokens", "20"];
  const own = { node: process.execPath };
  const answer = await llavaIn(project, { ...own, env: bare }, ...chat);
  assert.match(answer, /\w/);
  const [addon] = readdirSync(join(home, "addon")).filter((name) => !name.startsWith("stamp"));
  const taken = readFileSync(join(home, "addon", addon!, "llava.node"));
  assert.ok(taken.equals(readFileSync(join(project, "node_modules", prebuiltPackage, "llava.node"))));
  tell(`Node ${process.versions.node}, prebuilt addon, no CMake and no compiler: ${answer.trim()}`);

  for (const resolution of ["node16", "nodenext", "bundler"] as const) await checkTypes(project, resolution);
  tell("its types work under node16, nodenext and bundler");

  for (const version of ["24", "26"]) {
    const use = { node: version === "24" ? process.execPath : fetchNode(version), env: bare };
    assert.match(await runIn(project, use, "chat.ts"), /\w/);
    assert.match(await llavaIn(project, use, ...chat), /\w/);
    rmSync(join(project, "run"), { recursive: true, force: true });
    await llavaIn(project, use, "train", "recipe.ts");
    assert.equal(await runIn(project, use, "subpaths.ts"), "true 6 2\n");
    assert.match(await llavaIn(project, use, "eval", "list"), /vizwiz/);
    tell(
      `Node ${version}: chat, the README's lines, rows loaded in threads, a recipe of one's own, benchmarks`,
    );
  }
  for (const version of ["20", "22"]) {
    const use = { node: fetchNode(version), env: { LLAVA_HOME: home } };
    for (const subpath of ["llava", "llava/training", "llava/evaluation", "llava/data"]) {
      const script = `import("${subpath}").catch(({ message }) => console.log(message))`;
      const said = await runIn(project, use, "--input-type=module", "-e", script);
      assert.match(said, new RegExp(`^llava needs Node 24 or newer; this is ${version}\\.[\\d.]+\\n$`));
    }
    assert.match(await llavaIn(project, use, ...chat), /\w/);
    tell(`Node ${version}: the library names the version it needs, the command answers on a Node of its own`);
  }
}

function readVersion(cwd: string, tarball: string): string {
  const text = execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { cwd, encoding: "utf8" });
  return (JSON.parse(text) as { version: string }).version;
}

/** Another Node, as the package index carries it. */
function fetchNode(version: string): string {
  const name = `node-${process.platform}-${process.arch}`;
  const place = join(folder, `node-${version}`);
  mkdirSync(place);
  writeFileSync(join(place, "package.json"), "{}");
  npm(place, "install", `${name}@${version}`);
  return join(place, "node_modules", name, "bin/node");
}
