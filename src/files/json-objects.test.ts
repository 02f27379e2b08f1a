// Objects of a file, however it is cut into pieces: npm test -- src/formats
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { type JsonSpan, jsonObjects } from "./json-objects.ts";

const folder = temporaryFolder("llava-objects");

async function spansOf(content: string | Uint8Array, pieceSize?: number): Promise<JsonSpan[]> {
  const path = join(folder, "objects.json");
  writeFileSync(path, content);
  const found: JsonSpan[] = [];
  for await (const spans of jsonObjects(path, pieceSize)) found.push(...spans);
  return found;
}

async function objectsOf(text: string, pieceSize?: number) {
  return (await spansOf(text, pieceSize)).map(({ bytes, start, place }) => {
    assert.deepEqual(Buffer.from(text).subarray(start, start! + bytes.length), bytes);
    return { value: JSON.parse(bytes.toString()), place };
  });
}

const textsOf = (spans: readonly JsonSpan[]): string[] => spans.map(({ bytes }) => bytes.toString());

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

test("of a list are all of its elements, whatever they are and whatever stands between them", async () => {
  const texts = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
    fc.constantFrom("NaN", "-Infinity", "oops", "}", "1.5e", "'a'"),
  );
  const separators = fc.constantFrom(",", " ,\n", "\t,\r\n ", ",,");
  await fc.assert(
    fc.asyncProperty(
      fc.array(texts, { minLength: 1, maxLength: 6 }),
      separators,
      fc.integer({ min: 1, max: 40 }),
      async (elements, separator, pieceSize) => {
        const spans = await spansOf(`[${elements.join(separator)}${separator}]\n`, pieceSize);
        assert.deepEqual(textsOf(spans), elements);
        assert.ok(spans.every(({ problem }) => problem === undefined));
      },
    ),
    { numRuns: 60 },
  );
  assert.deepEqual(textsOf(await spansOf('[{"a": 1} {"b": 2}{"c": [}]')), [
    '{"a": 1}',
    '{"b": 2}',
    '{"c": [}',
  ]);
});

test("are told from text after the list", async () => {
  for (const rest of ["x", '{"a": 1}', "]", ', {"b": 2}', '[{"c": 3}]']) {
    const spans = await spansOf(`[{"a": 0}]\n${rest}`);
    assert.deepEqual(
      spans.map(({ problem }) => problem),
      [undefined, `text follows the list of rows: ${JSON.stringify(rest)}`],
    );
  }
});

test("of lines may end in a comma, and those of objects over several lines stand one after another", async () => {
  assert.deepEqual(textsOf(await spansOf('{"a": 1},\r\n{"b": ","} , \n\n{"c": 3}')), [
    '{"a": 1}',
    '{"b": ","} ',
    '{"c": 3}',
  ]);
  const objects = ['{\n  "a": {"b": "}"}\n}', "{\n}"];
  assert.deepEqual(textsOf(await spansOf(objects.join("\n"))), objects);
});

test("are the same out of gzip and zstd, from UTF-16, and after a mark of the byte order", async () => {
  const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");
  for (const text of ['[{"a": "Köln 🐦"}, 7]', '{"a": "Köln 🐦"}\n7\n']) {
    const marked = `\ufeff${text}`;
    const packed = [
      Buffer.concat([gzipSync(text.slice(0, 4)), gzipSync(text.slice(4))]),
      zstdCompressSync(text),
      utf16(text),
      utf16(marked),
      utf16(marked).swap16(),
    ];
    for (const content of packed) {
      const spans = await spansOf(content);
      assert.deepEqual(
        spans.map(({ bytes, start }) => [JSON.parse(bytes.toString().replace("\ufeff", "")), start]),
        [
          [{ a: "Köln 🐦" }, undefined],
          [7, undefined],
        ],
      );
    }
    const spans = await spansOf(marked);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(spans[0]!.bytes)), { a: "Köln 🐦" });
  }
});

test("are not looked for in a file of another kind, which is named with a way out", async () => {
  const others: [content: string | Uint8Array, message: RegExp, hint: RegExp][] = [
    [Buffer.from("PK\x03\x04rest"), /is a zip archive, expected rows/, /Unpack/],
    [Buffer.from("PAR1rest"), /is a parquet file/, /\.parquet/],
    [gzipSync(Buffer.from("PAR1rest")), /holds a parquet file/, /\.parquet, unpacked/],
    ["version https://git-lfs.github.com/spec/v1\noid", /is a Git LFS pointer/, /git lfs pull/],
    ["<!DOCTYPE html><p>404", /is an HTML page/, /JSON/],
    [Buffer.from("%PDF-1.7"), /is a PDF document/, /JSON/],
    [Buffer.of(1, 0, 2), /is binary data/, /JSON/],
  ];
  for (const [content, message, hint] of others)
    await assert.rejects(spansOf(content), { code: "data", message, hint });
  await assert.rejects(spansOf(gzipSync('[{"a": 1}]').subarray(0, 20)), {
    code: "data",
    message: /cannot be read: unexpected end of file/,
  });
});
