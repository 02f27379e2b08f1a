import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { parseJsonObject } from "../files/index.ts";
import { openWeights } from "./weights-file.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../test/fixtures/checkpoint/${name}`, import.meta.url));
const folder = temporaryFolder("weights-file");

test("a container is told by its bytes, whatever the name", () => {
  for (const stored of ["state.safetensors", "state.pth", "legacy.bin", "quantised.gguf"])
    for (const name of ["weights.safetensors", "weights.bin", "weights.gguf", "weights"]) {
      copyFileSync(fixture(stored), join(folder, name));
      using renamed = openWeights(join(folder, name));
      using original = openWeights(fixture(stored));
      assert.deepEqual([...renamed.names()], [...original.names()], `${stored} as ${name}`);
    }
});

test("a header whose length begins as a pickle does is one of safetensors", () => {
  for (const length of [0x280, 0x480]) {
    const header = Buffer.from('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.padEnd(length));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(length));
    writeFileSync(join(folder, "odd"), Buffer.concat([size, header, Buffer.alloc(4)]));
    using source = openWeights(join(folder, "odd"));
    assert.deepEqual([...source.names()], ["x"]);
  }
});

const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 13476851690\n`;
const safetensors = readFileSync(fixture("state.safetensors"));

/** What is found under a name, and what is said of it. */
const strays: Record<string, [content: string | Uint8Array, message: RegExp, hint: RegExp]> = {
  "a Git LFS pointer": [LFS, /is a Git LFS pointer for a file of 13476851690 bytes/, /git lfs pull/],
  "a Xet pointer": ["# xet version 0\nfilesize = 12\n", /is a Xet pointer for a file of 12/, /hub/],
  "an annexed file": ["/annex/objects/SHA256E-s1--ab.bin\n", /is a git-annex pointer/, /git annex get/],
  "the text of a link": [`../../blobs/${"a".repeat(64)}`, /is the text of a link/, /cp -L/],
  "a web page": [
    "\n<!DOCTYPE html>\n<html><head><title> Sign in </title></head></html>",
    /is a web page \("Sign in"\)/,
    /token/,
  ],
  "a page without doctype": ["<HTML><body>x</body></HTML>", /is a web page;/, /Download the file itself/],
  "a storage's error": ["<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", /XML \(/, /fetch/],
  "a server's words": ["Entry not found", /a server's answer: Entry not found/, /fetch/],
  gzip: [gzipSync(safetensors), /compressed with gzip/, /gunzip/],
  "an empty file": ["", /is empty/, /fetch the file again/],
  "a file of zeros": [new Uint8Array(5000), /all zeros/, /did not finish/],
  parquet: ["PAR1xxxx", /parquet/, /rows/],
  HDF5: [Buffer.from("894844460d0a1a0a00", "hex"), /HDF5/, /safetensors/],
};

for (const [what, [content, message, hint]] of Object.entries(strays))
  test(`${what} is called by its name, under any`, () => {
    for (const name of ["model.safetensors", "pytorch_model.bin", "model.gguf"]) {
      writeFileSync(join(folder, name), content);
      assert.throws(() => openWeights(join(folder, name)), { code: "checkpoint", message, hint });
    }
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    assert.throws(() => parseJsonObject(bytes, "config.json"), { code: "checkpoint", message, hint });
  });

test("zip archives that torch did not write", () => {
  const zip = Buffer.from(
    "504b0304140000000000000000008316dc8c0100000001000000010000006178504b0102140014000000000000000000008316dc8c010000000100000001000000000000000000000000000000000061504b05060000000001000100" +
      "2f000000200000000000",
    "hex",
  );
  writeFileSync(join(folder, "model.bin"), zip);
  assert.throws(() => openWeights(join(folder, "model.bin")), { code: "checkpoint", message: /zip archive/ });
  assert.throws(() => parseJsonObject(zip, "tokenizer.json"), {
    message: /tokenizer\.json is a zip archive/,
  });
});

test("a server's error is told from a configuration", () => {
  assert.throws(() => parseJsonObject('{"error": "Repository not found"}', "config.json"), {
    message: /config\.json is a server's error, not the file: .*Repository not found/,
  });
  assert.deepEqual(parseJsonObject('{"error": 1, "model_type": "llava"}', "c"), {
    error: 1,
    model_type: "llava",
  });
});

test("a cut file is said to be cut, and JSON in a weights' place no weights", () => {
  writeFileSync(join(folder, "model.safetensors"), safetensors.subarray(0, safetensors.length - 10));
  assert.throws(() => openWeights(join(folder, "model.safetensors")), { message: /cut short/ });
  writeFileSync(join(folder, "pytorch_model.bin"), readFileSync(fixture("state.pth")).subarray(0, 900));
  assert.throws(() => openWeights(join(folder, "pytorch_model.bin")), { message: /cut short/ });
  writeFileSync(join(folder, "model.safetensors"), '{"error":"Invalid credentials in Authorization header"}');
  assert.throws(() => openWeights(join(folder, "model.safetensors")), {
    message: /is JSON, .*Invalid credentials/,
  });
});
