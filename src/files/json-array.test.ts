import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { streamJsonArray } from "./json-array.ts";

const folder = temporaryFolder("json-array");

async function read(content: string | Buffer, key?: string): Promise<unknown[]> {
  const path = join(folder, "rows.json");
  writeFileSync(path, content);
  const elements: unknown[] = [];
  for await (const element of streamJsonArray(path, key)) elements.push(element);
  return elements;
}

describe("streamed JSON arrays", () => {
  test("the elements are those of JSON.parse, brackets and commas in strings included", async () => {
    const rows = [{ a: 'x],}"\\', b: [1, { c: "," }] }, "é😀,", 3, null, [], {}, [[1, 2], "]"]];
    assert.deepEqual(await read(JSON.stringify(rows)), rows);
    assert.deepEqual(await read(`\ufeff ${JSON.stringify(rows, null, 2)}\n`), rows);
    assert.deepEqual(await read(" [ ] "), []);
  });

  test("the list under a key, past others of that name deeper down", async () => {
    const text = JSON.stringify({ info: { rows: [9], "a:b": 1 }, n: "rows", rows: [1, 2], more: [3] });
    assert.deepEqual(await read(text, "rows"), [1, 2]);
    assert.deepEqual(await read(text, "more"), [3]);
  });

  test("lists longer than a piece of the file, cut anywhere in a character or an escape", async () => {
    const rows = Array.from({ length: 60_000 }, (_, id) => ({
      id,
      text: `é"\\${"😀".repeat(id % 17)}`,
      list: [id],
    }));
    const text = JSON.stringify({ rows });
    assert.ok(Buffer.byteLength(text) > 3 << 20);
    assert.deepEqual(await read(text, "rows"), rows);
  });

  test("elements that hold others which begin alike, and strings that look like the next element", async () => {
    const rows = Array.from({ length: 30_000 }, (_, id) => ({
      id,
      same: [{ id: 1 }, { id: 2 }],
      text: `,{"id":${id}},{"id":`,
    }));
    const text = JSON.stringify({ rows, more: [{ id: -1 }, { id: -2 }] });
    assert.ok(Buffer.byteLength(text) > 2 << 20);
    assert.deepEqual(await read(text, "rows"), rows);
    assert.deepEqual(await read(text, "more"), [{ id: -1 }, { id: -2 }]);
  });

  test("what is wrong is named with its line", async () => {
    const refuses = (content: string | Buffer, message: RegExp, key?: string) =>
      assert.rejects(read(content, key), (error: Error) => message.test(error.message));
    await refuses('[\n{"a":1},\n{"a":2', /rows\.json:3: ends inside its list/);
    await refuses('[\n{"a":1},\n{"a" 2},\n{"a":3}]', /rows\.json:3: not valid JSON/);
    await refuses(Buffer.from('[\n"a",\n"\xff"]', "latin1"), /rows\.json:3: not UTF-8/);
    await refuses('{"a": [1]}', /holds no list "rows"/, "rows");
    await refuses("", /rows\.json:1: holds no list/);
  });
});
