import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { AtomicFile, writeAtomically, writeAtomicallyAsync, writeRows } from "./index.ts";

const folder = temporaryFolder("llava-atomic");

const pieces = ["ä".repeat(700_000), new Uint8Array([0, 255]), "", "é".repeat(700_000), "\n"];
const whole = Buffer.concat(pieces.map((piece) => Buffer.from(piece as string)));

test("pieces of text and bytes are in the file in their order, however they come", async () => {
  const path = join(folder, "pieces");
  writeAtomically(path, pieces);
  assert.ok(readFileSync(path).equals(whole));
  async function* later() {
    yield* pieces;
  }
  await writeAtomicallyAsync(path, later());
  assert.ok(readFileSync(path).equals(whole));
});

test("a file is there once it is finished, and nothing beside it if it never is", async () => {
  const path = join(folder, "new", "file");
  const options = { makesFolder: true } as const;
  {
    using file = new AtomicFile(path, options);
    file.write("half");
    assert.equal(readdirSync(join(folder, "new")).includes("file"), false);
  }
  assert.deepEqual(readdirSync(join(folder, "new")), []);
  writeAtomically(path, ["old"], options);
  function* failing() {
    yield "x".repeat(1 << 21);
    throw new Error("no more");
  }
  const expected = { name: "LlavaError", code: "data", message: `${path}: cannot be written: no more` };
  assert.throws(() => writeAtomically(path, failing(), { code: "data" }), expected);
  await assert.rejects(writeAtomicallyAsync(path, failing(), { code: "data" }), expected);
  assert.deepEqual(readdirSync(join(folder, "new")), ["file"]);
  assert.equal(readFileSync(path, "utf8"), "old");
});

test("a folder that is not there is an error that names the file", () => {
  assert.throws(() => writeAtomically(join(folder, "none", "file"), []), {
    name: "LlavaError",
    code: "checkpoint",
    message: /none\/file: cannot be written: ENOENT/,
  });
});

test("rows are written whole or not at all", async () => {
  const path = join(folder, "out.json");
  assert.equal(await writeRows(path, [{ a: 1 }, { a: 2 }]), 2);
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), [{ a: 1 }, { a: 2 }]);
  await writeRows(path, []);
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), []);
  function* failing() {
    yield { a: 3 };
    throw new Error("no more");
  }
  await assert.rejects(writeRows(path, failing()), { code: "data", message: /out\.json: .*no more/ });
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), []);
});
