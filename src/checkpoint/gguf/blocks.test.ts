// Blocks as they lie in a file: npm test -- src/checkpoint/gguf/blocks.test.ts
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { ggufDialect } from "../../models/index.ts";
import { dequantize, Generator, quantize, randn, type Tensor } from "../../torch/index.ts";
import { openGguf } from "./open.ts";

const folder = temporaryFolder("llava-gguf-blocks");
const fixture = fileURLToPath(new URL("../../../test/fixtures/checkpoint/quantised.gguf", import.meta.url));

function whole(bytes: 4 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 4) buffer.writeUInt32LE(value);
  else buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}
const text = (words: string): Buffer => Buffer.concat([whole(8, words.length), Buffer.from(words)]);

/** A file of architecture "llama" with one matrix in Q8_0. */
function writeMatrix(name: string, blocks: Tensor, heads: number): string {
  const [rows, bytes] = blocks.shape as [number, number];
  const header = Buffer.concat([
    ...[Buffer.from("GGUF"), whole(4, 3), whole(8, 1), whole(8, 2)],
    ...[text("general.architecture"), whole(4, 8), text("llama")],
    ...[text("llama.attention.head_count"), whole(4, 4), whole(4, heads)],
    ...[text(name), whole(4, 2), whole(8, (bytes / 34) * 32), whole(8, rows), whole(4, 8), whole(8, 0)],
  ]);
  const padding = Buffer.alloc((32 - (header.byteLength % 32)) % 32);
  const path = join(folder, `${name}.gguf`);
  writeFileSync(
    path,
    Buffer.concat([header, padding, Uint8Array.from(blocks.toNumbers().flat(9) as number[])]),
  );
  return path;
}

test("blocks are those of the values that are read, and plain tensors have none", () => {
  using source = openGguf(fixture, ggufDialect);
  const types = new Set<string>();
  for (const name of source.names()) {
    const stored = source.blocks?.(name);
    const { dtype, shape } = source.info(name);
    assert.equal(stored?.type ?? dtype, dtype, name);
    if (stored === undefined) continue;
    types.add(stored.type);
    const values = dequantize(stored.blocks, stored.type).reshape(shape);
    assert.deepEqual(values.toFloat32Array(), source.read(name).toFloat32Array(), name);
  }
  assert.equal(types.size, 8);
});

test("rows of queries and keys in rotary pairs are put in halves, whole rows of blocks", () => {
  const blocks = quantize(randn([16, 64], new Generator(1)), "Q8_0");
  for (const [part, isPaired] of [
    ["attn_q", true],
    ["attn_k", true],
    ["attn_v", false],
  ] as const) {
    using source = openGguf(writeMatrix(`blk.0.${part}.weight`, blocks, 2), ggufDialect);
    const [name = ""] = source.names();
    const stored = source.blocks?.(name);
    assert.equal(stored?.type, "Q8_0");
    assert.deepEqual(
      dequantize(stored.blocks, "Q8_0").toFloat32Array(),
      source.read(name).toFloat32Array(),
      name,
    );
    const halves = [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15];
    for (const [row, stands] of halves.entries())
      assert.deepEqual(
        stored.blocks.select(0, row).toNumbers(),
        blocks.select(0, isPaired ? stands : row).toNumbers(),
        `${name}, row ${row}`,
      );
  }
});
