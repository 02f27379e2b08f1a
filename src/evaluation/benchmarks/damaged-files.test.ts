import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { exampleNames, withExample } from "../../../test/support/benchmark-examples.ts";
import { LlavaError } from "../../errors.ts";
import type { Benchmark } from "../benchmark.ts";

/**
 * Whatever happens to a file of a dataset, its loader reads on or says which file is wrong: each file of each folder's
 * example.ts is cut, emptied, filled with other JSON, and spoilt in its middle.
 */
const damages: Readonly<Record<string, (content: Buffer) => Uint8Array>> = {
  "cut in half": (content) => content.subarray(0, content.length >> 1),
  empty: () => new Uint8Array(),
  "other JSON": () => Buffer.from('{"some": ["other", "file"]}\n'),
  "a list of numbers": () => Buffer.from("[1, 2, 3]\n"),
  "bytes that are no text": (content) => {
    const spoilt = Buffer.from(content);
    spoilt.fill(0xff, content.length >> 1, (content.length >> 1) + 2);
    return spoilt;
  },
};

for (const name of exampleNames)
  test(`damaged files of ${name}`, () =>
    withExample(name, async (data, benchmarks) => {
      const entries = await readdir(data, { recursive: true, withFileTypes: true });
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      // The others of many files or splits are like these.
      for (const file of files.slice(0, 4)) {
        const content = await readFile(file);
        if (content.length === 0) continue;
        for (const [damage, spoil] of Object.entries(damages)) {
          await writeFile(file, spoil(content));
          for (const benchmark of benchmarks)
            for (const split of benchmark.splits.slice(0, 2))
              await readThrough(benchmark, data, split, file, damage);
        }
        await writeFile(file, content);
      }
    }));

async function readThrough(
  benchmark: Benchmark,
  data: string,
  split: string,
  file: string,
  damage: string,
): Promise<void> {
  const what = `${benchmark.name} ${split}, ${basename(file)} ${damage}`;
  try {
    for await (const item of benchmark.load({ data, split })) benchmark.prompt(item);
  } catch (error) {
    assert.ok(error instanceof LlavaError, `${what}: ${String((error as Error).stack)}`);
    assert.equal(error.code, "data", `${what}: ${error.message}`);
    assert.ok(error.message.includes(basename(data)), `${what}: names no file: ${error.message}`);
  }
}
