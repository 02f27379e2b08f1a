import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { architectureFiles, folders, importRules, pathOf } from "./architecture.ts";

const names = Object.keys(folders);

describe("the list of folders", () => {
  test("holds every folder of src that has a door", () => {
    const doors = globSync("src/**/index.ts", { cwd: pathOf("") }).map((path) =>
      relative("src", dirname(path)),
    );
    assert.deepEqual(
      names.filter((name) => !existsSync(pathOf(`src/${name}/index.ts`))),
      [],
    );
    assert.deepEqual(
      doors.filter(
        (door) => door !== "" && !names.some((name) => door === name || door.startsWith(`${name}/`)),
      ),
      [],
    );
  });

  test("lets a folder import only from below it", () => {
    for (const [name, { imports }] of Object.entries(folders))
      for (const other of imports)
        assert.ok(
          names.indexOf(other) < names.indexOf(name),
          `${name} imports ${other}, which is listed after it`,
        );
  });

  for (const [name, text] of architectureFiles())
    test(`agrees with ${name}`, () => {
      assert.equal(readFileSync(pathOf(name), "utf8"), text, "npm run architecture rewrites it");
    });
});

test("the linter stops imports that point upwards or go past a door", () => {
  const allowed: Record<string, boolean> = {
    "src/nn/a.ts ../torch/index.ts": true,
    "src/nn/b.ts ../models/index.ts": false,
    "src/nn/c.ts ../torch/tensor.ts": false,
    "src/nn/d.test.ts ../models/index.ts": true,
    "src/nn/e.test.ts ../models/llama/model.ts": false,
    "src/nn/f.test.ts ../../test/fixtures/torch/values.ts": true,
    "src/training/callbacks/g.ts ../../models/index.ts": true,
    "src/training/callbacks/h.ts ../../models/llama/model.ts": false,
    "src/training/callbacks/i.ts ../trainer.ts": true,
    "src/processing/image/j.ts ../tokenizer/index.ts": false,
    "src/evaluation/k.ts ../torch/index.ts": false,
    "test/l.test.ts ../src/models/llama/model.ts": false,
  };
  const root = mkdtempSync(join(tmpdir(), "llava-imports-"));
  try {
    writeFileSync(join(root, "biome.json"), JSON.stringify(importRules()));
    for (const row of Object.keys(allowed)) {
      const [file = "", source] = row.split(" ");
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), `export * from "${source}";\n`);
    }
    const args = ["lint", "--only=style/noRestrictedImports", "--max-diagnostics=none"];
    const { stderr } = spawnSync(pathOf("node_modules/.bin/biome"), args, { cwd: root, encoding: "utf8" });
    const stopped = new Set([...stderr.matchAll(/^(\S+\.ts):1:/gm)].map(([, file]) => file));
    for (const [row, isAllowed] of Object.entries(allowed))
      assert.equal(!stopped.has(row.split(" ")[0]), isAllowed, row);
  } finally {
    rmSync(root, { recursive: true });
  }
});
