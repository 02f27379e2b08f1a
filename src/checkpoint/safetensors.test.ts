import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { byteWidth, type DType, fromTyped } from "../torch/index.ts";
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
import { SAFETENSORS_DTYPES } from "./safetensors-header.ts";
import { openShards } from "./shards.ts";

const fixture = fileURLToPath(new URL("../../test/fixtures/checkpoint/state.safetensors", import.meta.url));
const folder = temporaryFolder("safetensors");

/** A file of the given header and `dataLength` zero bytes. */
function fileOf(header: unknown, dataLength: number, pad = ""): string {
  const json = Buffer.from((typeof header === "string" ? header : JSON.stringify(header)) + pad);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  const path = join(folder, "made.safetensors");
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataLength)]));
  return path;
}

const entry = (start: number, end: number, more: object = {}) => ({
  dtype: "F32",
  shape: [(end - start) / 4],
  data_offsets: [start, end],
  ...more,
});

describe("safetensors", () => {
  test("writing what was read gives the reference writer's file, byte for byte", () => {
    using source = openSafetensors(fixture);
    const copy = join(folder, "copy.safetensors");
    writeSafetensors(copy, new Map([...source.names()].map((name) => [name, source.read(name)])));
    assert.ok(readFileSync(copy).equals(readFileSync(fixture)));
    assert.deepEqual(Object.fromEntries(readSafetensorsHeader(copy).metadata), { format: "pt" });
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".partial")),
      [],
    );
  });

  test("write then read is the identity for any names, types and shapes", () => {
    const dtype = fc.constantFrom(...(Object.keys(SAFETENSORS_DTYPES) as DType[]));
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
    const tensor = fc.tuple(dtype, shape, fc.integer({ min: 0, max: 255 }));
    const name = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => text !== "__metadata__");
    const path = join(folder, "property.safetensors");
    fc.assert(
      fc.property(fc.dictionary(name, tensor, { maxKeys: 6 }), (tensors) => {
        const written = new Map(
          Object.entries(tensors).map(([key, [type, sizes, seed]]) => {
            const bytes = new Uint8Array(sizes.reduce((a, b) => a * b, 1) * byteWidth[type]);
            for (let i = 0; i < bytes.length; i++)
              bytes[i] = type === "bool" ? (seed + i) & 1 : (seed + 37 * i) & 255;
            return [key, fromTyped(bytes, { dtype: type, shape: sizes })];
          }),
        );
        writeSafetensors(path, written);
        using source = openSafetensors(path);
        assert.deepEqual(new Set(source.names()), new Set(written.keys()));
        for (const [key, original] of written) {
          assert.deepEqual(source.info(key), { dtype: original.dtype, shape: original.shape });
          assert.deepEqual(source.read(key).toBytes(), original.toBytes());
        }
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test("misaligned tensors are read too", () => {
    const header = { a: entry(0, 8) };
    for (const pad of ["", " ", "  ", "   "]) {
      const path = fileOf(header, 8, pad);
      const bytes = readFileSync(path);
      bytes.writeFloatLE(1.5, bytes.byteLength - 4);
      writeFileSync(path, bytes);
      assert.deepEqual(openSafetensors(path).read("a").toNumbers(), [0, 1.5]);
    }
  });

  const damage: Record<string, [header: unknown, dataLength: number, message: RegExp]> = {
    overlap: [{ a: entry(0, 8), b: entry(4, 12) }, 12, /b at data byte 4 overlaps a, ending at 8/],
    hole: [{ a: entry(0, 8), b: entry(12, 16) }, 16, /b at data byte 12 leaves a hole after a/],
    "data cut short": [{ a: entry(0, 8) }, 4, /cut short: a ends at byte \d+ of a file of \d+/],
    "trailing bytes": [{ a: entry(0, 8) }, 9, /bytes follow the last tensor/],
    "unknown dtype": [
      { a: entry(0, 8, { dtype: "F3" }) },
      8,
      /a has dtype "F3"; known are I64, F64, .*F8_E4M3/,
    ],
    "shape and bytes differ": [
      { a: entry(0, 8, { shape: [3] }) },
      8,
      /a has 8 bytes; F32 of shape \[3\] has 12/,
    ],
    "negative size": [{ a: entry(0, 8, { shape: [-2, -1] }) }, 8, /a has shape \[-2,-1\]/],
    "reversed offsets": [{ a: entry(8, 0, { shape: [2] }) }, 8, /a has -8 bytes/],
    "fractional offsets": [
      { a: { dtype: "U8", shape: [1], data_offsets: [0.5, 1.5] } },
      2,
      /data_offsets \[0.5,1.5\]/,
    ],
    "no JSON": ["{oops", 0, /not valid JSON/],
    "no object": ["[1]", 0, /expected a JSON object/],
    "null entry": [{ a: null }, 0, /a has dtype undefined/],
    "metadata of numbers": [{ __metadata__: { step: 3 } }, 0, /__metadata__\.step is number/],
  };
  for (const [what, [header, dataLength, message]] of Object.entries(damage)) {
    test(`${what} is refused`, () => {
      const path = fileOf(header, dataLength);
      assert.throws(() => openSafetensors(path), { name: "LlavaError", code: "checkpoint", message });
    });
  }

  test("a file cut anywhere is refused", () => {
    const whole = readFileSync(fixture);
    const path = join(folder, "cut.safetensors");
    for (let length = 0; length < whole.byteLength; length += 7) {
      writeFileSync(path, whole.subarray(0, length));
      assert.throws(
        () => openSafetensors(path),
        { name: "LlavaError", code: "checkpoint" },
        `${length} bytes`,
      );
    }
  });

  test("a header length beyond any file is refused before it is read", () => {
    const path = join(folder, "huge.safetensors");
    writeFileSync(path, Buffer.alloc(16, 0xff));
    assert.throws(() => openSafetensors(path), /a header of \d+ bytes; at most 100000000/);
  });

  test("a failed write leaves the old file and no rest", () => {
    const path = join(folder, "kept.safetensors");
    const good = fromTyped(Float32Array.of(1, 2), { dtype: "float32" });
    writeSafetensors(path, new Map([["a", good]]));
    const before = readFileSync(path);
    const gone = fromTyped(Float32Array.of(3), { dtype: "float32" });
    const shape = gone.shape;
    const broken = new Proxy(gone, {
      get: (target, key) => {
        if (key === "shape") return shape;
        if (key === "dtype") return "float32";
        if (key === "toBytes") throw new Error("no space left");
        return Reflect.get(target, key);
      },
    });
    assert.throws(
      () =>
        writeSafetensors(
          path,
          new Map([
            ["a", good],
            ["b", broken],
          ]),
        ),
      /cannot be written: no space left/,
    );
    assert.ok(readFileSync(path).equals(before));
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("partial")),
      [],
    );
  });
});

describe("shards", () => {
  const index = join(folder, "model.safetensors.index.json");
  const write = (weightMap: unknown) => writeFileSync(index, JSON.stringify({ weight_map: weightMap }));
  const shard = (name: string, ...keys: string[]) =>
    writeSafetensors(
      join(folder, name),
      new Map(keys.map((key, i) => [key, fromTyped(Float32Array.of(i + 1), { dtype: "float32" })])),
    );

  test("tensors come from the shard that the index names", () => {
    shard("one.safetensors", "a", "b");
    shard("two.safetensors", "b", "c");
    write({ a: "one.safetensors", b: "two.safetensors", c: "two.safetensors" });
    using source = openShards(index, openSafetensors);
    assert.deepEqual([...source.names()], ["a", "b", "c"]);
    assert.equal(source.read("b").item(), 1);
    assert.equal(source.read("c").item(), 2);
  });

  test("a missing shard is named with a tensor that it should hold", () => {
    write({ a: "one.safetensors", d: "three.safetensors" });
    assert.throws(
      () => openShards(index, openSafetensors),
      /puts d in three\.safetensors, which is not there/,
    );
  });

  test("what counts is what the shards hold, whatever the index lists", () => {
    shard("one.safetensors", "a", "unlisted");
    shard("two.safetensors", "c");
    write({ a: "one.safetensors", c: "one.safetensors", stray: "one.safetensors", b: "two.safetensors" });
    using source = openShards(index, openSafetensors);
    assert.deepEqual([...source.names()], ["a", "unlisted", "c"]);
    assert.equal(source.read("unlisted").item(), 2);
    assert.equal(source.read("c").item(), 1);
    assert.deepEqual(
      [...source.names()].filter((name) => source.isSpare?.(name)),
      ["unlisted"],
    );
  });

  test("an index of another model is refused", () => {
    shard("one.safetensors", "a");
    write({ y: "one.safetensors", z: "one.safetensors" });
    assert.throws(() => openShards(index, openSafetensors), /lists none of the tensors that its shards hold/);
  });

  test("shards outside the folder are refused", () => {
    for (const file of ["../one.safetensors", "/etc/passwd", "..", 3, null]) {
      write({ a: file });
      assert.throws(() => openShards(index, openSafetensors), /expected a file name/);
    }
  });

  test("an index without weight_map is refused", () => {
    writeFileSync(index, "{}");
    assert.throws(() => openShards(index, openSafetensors), /has no weight_map/);
  });
});
