import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readAnswers } from "../answers/index.ts";
import type { Benchmark, BenchmarkItem } from "../benchmark.ts";

/** What is sent to a benchmark's server can be scored here too, and holds an answer to each question. */
const folder = import.meta.dirname;
const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "example.ts")));

for (const name of names)
  test(`submissions of ${name}`, async (context) => {
    const { default: exported } = (await import(`./${name}/index.ts`)) as {
      default: Benchmark | readonly Benchmark[];
    };
    const submitted = [exported].flat().filter(({ submission }) => submission !== undefined);
    if (submitted.length === 0) return context.skip("has none");
    const data = await mkdtemp(join(tmpdir(), `llava-${name}-`));
    try {
      const { default: writeExample } = (await import(`./${name}/example.ts`)) as {
        default: (folder: string) => Promise<void>;
      };
      await writeExample(data);
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
    } finally {
      await rm(data, { recursive: true });
    }
  });
