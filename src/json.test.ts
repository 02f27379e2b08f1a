import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseJsonObject, readDataFile, readJsonFile } from "./json.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-json-"));
after(() => rmSync(folder, { recursive: true }));

test("a file is its object, or undefined where there is none", async () => {
  writeFileSync(join(folder, "config.json"), '{"model_type": "llava"}');
  assert.deepEqual(await readJsonFile(join(folder, "config.json")), { model_type: "llava" });
  assert.equal(await readJsonFile(join(folder, "missing.json")), undefined);
});

test("whatever is no object is refused with the file's name", async () => {
  const refused = (message: RegExp) => ({ code: "checkpoint", message });
  for (const [text, message] of [
    ['{"a": ', /^c\.json is not valid JSON: /],
    ["[1]", /^c\.json: holds a list; expected a JSON object$/],
    ["null", /^c\.json: holds null/],
    ['"a"', /^c\.json: holds string/],
  ] as const)
    assert.throws(() => parseJsonObject(text, "c.json"), refused(message));
  assert.throws(() => parseJsonObject(Uint8Array.of(0x22, 0xff, 0x22), "c.json"), refused(/not valid JSON/));
  await assert.rejects(readJsonFile(folder), refused(/cannot be read: EISDIR/));
});

test("a data file is its text, in UTF-8 or not at all", async () => {
  const path = join(folder, "rows.jsonl");
  writeFileSync(path, '\ufeff{"caption": "café"}\n');
  assert.equal(await readDataFile(path), '{"caption": "café"}\n');
  writeFileSync(path, Buffer.from('{"caption": "tea"}\n\n{"caption": "café"}\n', "latin1"));
  await assert.rejects(readDataFile(path), { code: "data", message: `${path}:3: not UTF-8` });
  await assert.rejects(readDataFile(join(folder, "missing")), {
    code: "data",
    message: /cannot be read: ENOENT/,
  });
});
