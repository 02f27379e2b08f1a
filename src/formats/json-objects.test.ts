// Objects of a file, however it is cut into pieces: npm test -- src/formats
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { jsonObjects } from "./json-objects.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-objects-"));
after(() => rmSync(folder, { recursive: true }));

async function objectsOf(text: string, pieceSize?: number) {
  const path = join(folder, "objects.json");
  writeFileSync(path, text);
  const found: { value: unknown; start: number; place: string }[] = [];
  for await (const spans of jsonObjects(path, pieceSize))
    for (const { bytes, start, place } of spans) {
      assert.deepEqual(Buffer.from(text).subarray(start, start + bytes.length), bytes);
      found.push({ value: JSON.parse(bytes.toString()), start, place });
    }
  return found;
}

test("are those of the list or the lines, at their places, for any size of the pieces", async () => {
  const values = fc.array(
    fc.dictionary(fc.string({ unit: "grapheme", maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 4,
    }),
    { maxLength: 6 },
  );
  const style = fc.constantFrom(undefined, 0, 2, "\t");
  await fc.assert(
    fc.asyncProperty(values, style, fc.integer({ min: 1, max: 40 }), async (objects, space, pieceSize) => {
      const list = space === undefined ? undefined : JSON.stringify(objects, null, space);
      const text = list ?? objects.map((each) => `${JSON.stringify(each)}\n`).join("\n");
      const found = await objectsOf(text, pieceSize);
      assert.deepEqual(
        found.map(({ value }) => value),
        JSON.parse(JSON.stringify(objects)),
      );
      assert.deepEqual(
        found.map(({ place }) => place),
        objects.map((_, i) => (list === undefined ? String(2 * i + 1) : `row ${i + 1}`)),
      );
    }),
    { numRuns: 60 },
  );
});

test("of a list that is cut short are an error", async () => {
  const whole = '[{"a": 1}, {"b": {"c": "]}"}}]';
  assert.equal((await objectsOf(whole)).length, 2);
  for (let length = 1; length < whole.length; length++)
    await assert.rejects(objectsOf(whole.slice(0, length)), {
      code: "data",
      message: /ends within its list/,
    });
  await assert.rejects(async () => {
    for await (const _ of jsonObjects(join(folder, "none.json"))) assert.fail();
  }, /none\.json: cannot be read/);
});
