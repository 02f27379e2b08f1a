import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { benchmarksOf, exampleNames, withExample } from "../../../test/support/benchmark-examples.ts";
import { readAnswers } from "../answers/index.ts";
import type { BenchmarkItem } from "../benchmark.ts";

/** What is sent to a benchmark's server can be scored here too, and holds an answer to each question. */
for (const name of exampleNames)
  test(`submissions of ${name}`, async (context) => {
    const submitted = (await benchmarksOf(name)).filter(({ submission }) => submission !== undefined);
    if (submitted.length === 0) return context.skip("has none");
    await withExample(name, async (data) => {
      for (const benchmark of submitted)
        for (const split of benchmark.splits) {
          const items: BenchmarkItem[] = [];
          for await (const item of benchmark.load({ data, split })) items.push(item);
          const { file, write } = benchmark.submission!;
          const path = join(data, file);
          await writeFile(path, await write(items, new Map(items.map(({ id }) => [id, "B"]))));
          const { texts } = await readAnswers(benchmark, path);
          const ids = items.map(({ id }) => id).sort();
          assert.deepEqual([...texts.keys()].sort(), ids, `${benchmark.name} ${split}`);
        }
    });
  });
