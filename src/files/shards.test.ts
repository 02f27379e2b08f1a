// Parquet files and tar archives, whole and damaged: npm test -- src/formats/shards.test.ts
import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parquetWriteFile } from "hyparquet-writer";
import { writeTar } from "../../test/support/tar.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { unpackHadoopLz4, unpackLz4 } from "./lz4.ts";
import { countParquetRows, readParquet } from "./parquet.ts";
import { readTar } from "./tar.ts";

const folder = temporaryFolder("llava-shards");

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("a parquet file", () => {
  const path = join(folder, "rows.parquet");
  const ids = Array.from({ length: 25 }, (_, i) => `id ${i}`);
  parquetWriteFile({
    filename: path,
    columnData: [
      { name: "id", data: ids },
      { name: "bytes", data: ids.map((_, i) => Uint8Array.of(255, i)), type: "BYTE_ARRAY" },
    ],
    rowGroupSize: 10,
  });

  test("gives its rows, over all row groups, bytes as bytes", async () => {
    assert.equal(await countParquetRows(path), 25);
    const rows = await collected(readParquet(path));
    assert.deepEqual(
      rows.map(({ values, row }) => [values["id"], values["bytes"], row]),
      ids.map((id, i) => [id, Uint8Array.of(255, i), i + 1]),
    );
  });

  test("that is cut short is an error", async () => {
    const cut = join(folder, "cut.parquet");
    writeFileSync(cut, "PAR1 and no more");
    await assert.rejects(collected(readParquet(cut)), {
      code: "data",
      message: /cut\.parquet: cannot be read/,
    });
    await assert.rejects(countParquetRows(join(folder, "none.parquet")), { code: "data" });
  });
});

describe("an LZ4 block", () => {
  // Packed by the command lz4: a match that overlaps itself, literals and matches longer than 15.
  const mixed = String.fromCharCode(...Array.from({ length: 40 }, (_, i) => 33 + ((i * 7) % 90)));
  const text = `${"abc".repeat(100)}${mixed}${"x".repeat(30)}ends`;
  const block = Buffer.from(
    "3f6162630300ff17ff1a21282f363d444b525960676e75222930373e454c535a61686f76232a31383f464d545b6269707724780100095078656e6473",
    "hex",
  );

  test("is unpacked, framed as Hadoop does or not", () => {
    assert.equal(Buffer.from(unpackLz4(block, text.length)).toString(), text);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(text.length, 0);
    frame.writeUInt32BE(block.length, 4);
    const framed = Buffer.concat([frame, block, frame, block]);
    assert.equal(Buffer.from(unpackHadoopLz4(framed, 2 * text.length)).toString(), text + text);
    assert.equal(Buffer.from(unpackHadoopLz4(block, text.length)).toString(), text);
  });

  test("that is damaged is an error", () => {
    for (let size = 0; size < block.length; size++)
      assert.throws(() => unpackLz4(block.subarray(0, size), text.length), /LZ4 block/);
    assert.throws(() => unpackLz4(Buffer.from("010000", "hex"), 20), /refers to bytes/);
  });
});

describe("a tar archive", () => {
  const files = { "a.json": "{}", "a.jpg": "x".repeat(3000), "b/c.txt": "text" };

  test("gives its files, and the bytes of those that are wanted", async () => {
    const path = await writeTar(join(folder, "whole.tar"), files);
    const members = await collected(readTar(path));
    assert.deepEqual(Object.fromEntries(members.map(({ name, bytes }) => [name, bytes.toString()])), files);
    const some = await collected(readTar(path, { wants: (name) => name.endsWith(".txt") }));
    assert.deepEqual(
      some.map(({ name, bytes }) => [name, bytes.toString()]),
      [
        ["a.json", ""],
        ["a.jpg", ""],
        ["b/c.txt", "text"],
      ],
    );
  });

  test("that is cut short anywhere gives what is whole, and then an error", async () => {
    const whole = await writeTar(join(folder, "cut.tar"), files);
    for (const size of [0, 100, 512, 1024, 1536, 4000, 4608, 5120, 5632]) {
      await writeTar(whole, files);
      truncateSync(whole, size);
      const names: string[] = [];
      await assert.rejects(
        async () => {
          for await (const { name } of readTar(whole)) names.push(name);
        },
        {
          code: "data",
          message: /cut\.tar: damaged or cut short (at its begin|after \d files, the last .*):/,
        },
        String(size),
      );
      const complete = [514, 4536, 5124].filter((end) => end <= size).length;
      assert.deepEqual(names, Object.keys(files).slice(0, complete), String(size));
    }
  });

  test("that is none is an error", async () => {
    const path = join(folder, "none.tar");
    writeFileSync(path, "no archive ".repeat(100));
    await assert.rejects(collected(readTar(path)), { code: "data", message: /none\.tar: damaged/ });
    await assert.rejects(collected(readTar(join(folder, "nowhere.tar"))), /nowhere\.tar.*ENOENT/);
  });
});
