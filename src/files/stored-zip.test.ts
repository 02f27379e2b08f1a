import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readStoredZip } from "./stored-zip.ts";

interface LargeZip {
  byteLength: number;
  parts: { start: number; base64: string }[];
  entries: Record<string, { offset: number; byteLength: number }>;
}

const url = new URL("../../test/fixtures/checkpoint/large-zip.json", import.meta.url);
const { byteLength, parts, entries } = JSON.parse(readFileSync(url, "utf8")) as LargeZip;

/** The fixture's parts at their places in a file of zeros. */
function bytes(start: number, end: number): Uint8Array {
  const result = new Uint8Array(end - start);
  for (const part of parts) {
    const data = Buffer.from(part.base64, "base64");
    const from = Math.max(start, part.start);
    const to = Math.min(end, part.start + data.byteLength);
    if (from < to) result.set(data.subarray(from - part.start, to - part.start), from - start);
  }
  return result;
}

test("sizes and offsets beyond 4 GiB come from the 64-bit extension", () => {
  const directory = readStoredZip({ byteLength, bytes }, "large.pt");
  assert.deepEqual(Object.fromEntries(directory), entries);
  const large = Object.values(entries);
  assert.ok(
    large.some((entry) => entry.byteLength > 2 ** 32) && large.some((entry) => entry.offset > 2 ** 32),
  );
});

test("a directory that points outside the file is refused", () => {
  const shorter = {
    byteLength: byteLength - 2 ** 31,
    bytes: (start: number, end: number) => bytes(start + 2 ** 31, end + 2 ** 31),
  };
  assert.throws(() => readStoredZip(shorter, "large.pt"), { name: "LlavaError", code: "checkpoint" });
});

test("compressed files are refused", () => {
  const path = new URL("../../test/fixtures/checkpoint/state.pth", import.meta.url);
  const archive = readFileSync(path);
  archive.writeUInt16LE(8, archive.indexOf("PK\x01\x02") + 10);
  const file = {
    byteLength: archive.byteLength,
    bytes: (start: number, end: number) => archive.subarray(start, end),
  };
  assert.throws(() => readStoredZip(file, "x.pt"), /x\.pt: .*data\.pkl is compressed/);
});
