import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { parseJson, parseJsonObject, readDataFile, readJsonFile } from "./json.ts";

const folder = temporaryFolder("llava-json");

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

test("Python's numbers are read, and words in strings left alone", () => {
  assert.deepEqual(
    parseJson('{"a": NaN, "b": [Infinity, -Infinity, 0e-9], "c": "NaN \\"Infinity", "NaN": null}'),
    { a: Number.NaN, b: [Infinity, -Infinity, 0], c: 'NaN "Infinity', NaN: null },
  );
  assert.deepEqual(parseJsonObject('{"model_max_length": Infinity}', "c.json"), {
    model_max_length: Infinity,
  });
  assert.equal(Number.isNaN(parseJson(" NaN ")), true);
  for (const text of ["-NaN", "nan", "Infinit", "+Infinity", "NaNN", "1NaN", "[NaN NaN]", '"NaN', "{NaN: 1}"])
    assert.throws(() => parseJson(text), SyntaxError, text);
  assert.throws(() => parseJson('{"a": NaN, "b": -Infinity'), /at position 25/);
});

test("every value that Python writes comes back", () => {
  const python = (value: unknown): string => {
    if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : String(value);
    if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${python(inner)}`);
    return `{${entries.join(", ")}}`;
  };
  const word = fc.constantFrom("NaN", "Infinity", "-Infinity", "\\", '"', "0e-9", "1e999");
  const text = fc.oneof(
    fc.string(),
    fc.array(word).map((parts) => parts.join("")),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      fc.double().map((value) => value + 0 || (Number.isNaN(value) ? value : 0)),
      text,
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(
        text.filter((key) => key !== "__proto__"),
        tie("tree"),
        { maxKeys: 4, noNullPrototype: true },
      ),
    ),
  }));
  fc.assert(fc.property(tree, (value) => assert.deepEqual(parseJson(python(value)), value)));
});
