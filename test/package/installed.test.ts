// What `npm pack` leaves, installed into an empty project: npm test -- test/package
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import {
  assertDeclared,
  checkTypes,
  installLinked,
  llavaIn,
  packCheckout,
  runIn,
  tinyModel,
  writeProgram,
} from "../support/installed-package.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const use = { node: process.execPath };

describe("the package, installed", () => {
  const folder = temporaryFolder("llava-installed");
  const project = join(folder, "project");
  const place = join(project, "node_modules/llava");
  let installed: string[];

  before(async () => {
    const tarball = await packCheckout(folder);
    const weights = globSync("models/*/*.safetensors").reduce((sum, path) => sum + statSync(path).size, 0);
    // Weights hardly shrink, so that what is left is at least what the rest takes.
    assert.ok(statSync(tarball).size - 0.95 * weights < 3e6);
    await installLinked(project, tarball);
    installed = globSync("**", { cwd: place });
    writeProgram(project);
  });

  test("holds what is built and no sources, tests and fixtures, and imports what it declares", () => {
    assert.deepEqual(
      installed.filter((path) =>
        /(?:^|\/)(?:src|test|fixtures|bench|scripts)\/.*\.ts$|\.test\.|\.golden\./.test(path),
      ),
      [],
    );
    for (const path of [
      "native/CMakeLists.txt",
      "native/src/addon.cc",
      "dist/processing/image/resample.wasm",
    ])
      assert.ok(existsSync(join(place, path)), path);
    const declarations = globSync("dist/**/*.d.ts", { cwd: place });
    const left = declarations.filter((path) => /"\.[^"]*\.ts"/.test(readFileSync(join(place, path), "utf8")));
    assert.deepEqual(left, []);
    assertDeclared(project);
  });

  for (const resolution of ["node16", "nodenext", "bundler"] as const)
    test(`its types work under ${resolution}`, () => checkTypes(project, resolution));

  test("the README's six lines answer, and so does the command", async () => {
    assert.match(await runIn(project, use, "chat.ts"), /\S/);
    const args = ["chat", tinyModel, "examples/soccer.jpg", "What is it?", "--max-tokens", "8"];
    assert.match(await llavaIn(project, use, ...args), /\S/);
  });

  test("subpaths are imported without libtorch, and their names are those of the modules behind them", async () => {
    const bare = { ...use, env: { LLAVA_HOME: join(folder, "empty") } };
    assert.equal(await runIn(project, bare, "subpaths.ts"), "true 6 2\n");
    for (const [subpath, module] of [
      ["llava", "index"],
      ["llava/training", "training/library"],
      ["llava/evaluation", "evaluation/library"],
      ["llava/data", "data/index"],
      ["llava/datagen", "datagen/index"],
    ]) {
      const script = `const keys = async (path) => Object.keys(await import(path)).join();
        console.log((await keys("${subpath}")) === (await keys("${join(place, `dist/${module}.js`)}")));`;
      assert.equal(await runIn(project, bare, "--input-type=module", "-e", script), "true\n", subpath);
    }
  });

  test("a recipe of one's own trains with rows loaded in threads, and one that is shipped is found by its place", async () => {
    await llavaIn(project, use, "train", "recipe.ts");
    assert.ok(existsSync(join(project, "run/recipe.json")));
    const { maxSteps } = JSON.parse(readFileSync(join(project, "run/recipe.json"), "utf8"));
    assert.equal(maxSteps, 2);
    const shown = await llavaIn(project, use, "train", "recipes/llava-1.5-7b/lora.ts", "--dry-run", "--json");
    assert.equal(JSON.parse(shown).recipe.lora.rank, 128);
  });

  test("benchmarks are listed", async () => {
    assert.match(await llavaIn(project, use, "eval", "list"), /vqav2[\s\S]*vizwiz|vizwiz[\s\S]*vqav2/);
  });

  test("nothing is written into its folder, which may be read-only", () => {
    assert.deepEqual(globSync("**", { cwd: place }).sort(), installed.sort());
  });
});
