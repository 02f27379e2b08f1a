import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { describe, test } from "node:test";
import { describedArchitecture, description, folders, forbiddenImports, pathOf } from "./architecture.ts";

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

  test("is the one that docs/architecture.md shows", () => {
    assert.equal(
      readFileSync(description, "utf8"),
      describedArchitecture(),
      "npm run architecture rewrites it",
    );
  });
});

test("no file imports upwards or past a door", () => {
  const files = globSync("{src,test,bench,scripts,proofs,recipes,examples,models}/**/*.ts", {
    cwd: pathOf(""),
  });
  assert.ok(files.length > 500);
  assert.deepEqual(
    files.flatMap((file) => forbiddenImports(file, readFileSync(pathOf(file), "utf8"))),
    [],
  );
});

test("what points upwards or goes past a door is found by its whole path", () => {
  const allowed: Record<string, boolean> = {
    "src/nn/a.ts ../torch/index.ts": true,
    "src/nn/a.ts ../models/index.ts": false,
    "src/nn/a.ts ../torch/tensor.ts": false,
    "src/nn/a.ts ../errors.ts": true,
    "src/nn/a.test.ts ../models/index.ts": true,
    "src/nn/a.test.ts ../models/llama/model.ts": false,
    "src/nn/a.test.ts ../../test/fixtures/torch/values.ts": true,
    "src/protocol/a.ts ../files/index.ts": true,
    "src/training/callbacks/a.ts ../../models/index.ts": true,
    "src/training/callbacks/a.ts ../../models/llama/model.ts": false,
    "src/training/callbacks/a.ts ../trainer.ts": true,
    "src/training/callbacks/a.ts ../files/a.ts": true,
    "src/processing/image/a.ts ../tokenizer/index.ts": false,
    "src/evaluation/a.ts ../torch/index.ts": false,
    "src/evaluation/image/a.ts ./b.ts": true,
    "src/evaluation/a.ts ./image/b.ts": true,
    "test/a.test.ts ../src/models/llama/model.ts": false,
    "test/a.test.ts ../src/models/index.ts": true,
  };
  for (const [row, isAllowed] of Object.entries(allowed)) {
    const [file = "", source] = row.split(" ");
    for (const text of [`export * from "${source}";`, `await import("${source}");`, `import "${source}";`])
      assert.equal(forbiddenImports(file, text).length === 0, isAllowed, row);
  }
});
