import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Benchmark } from "../../src/evaluation/index.ts";

export const benchmarkFolder = fileURLToPath(new URL("../../src/evaluation/benchmarks", import.meta.url));

/** Folders whose example.ts writes a few made-up questions in the original format. */
export const exampleNames: readonly string[] = readdirSync(benchmarkFolder).filter((name) =>
  existsSync(join(benchmarkFolder, name, "example.ts")),
);

export async function benchmarksOf(name: string): Promise<readonly Benchmark[]> {
  const module = (await import(join(benchmarkFolder, name, "index.ts"))) as {
    default: Benchmark | readonly Benchmark[];
  };
  return [module.default].flat();
}

/** Writes the example of a folder for as long as it is used. */
export async function withExample(
  name: string,
  use: (data: string, benchmarks: readonly Benchmark[]) => Promise<void>,
): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), `llava-${name}-`));
  try {
    const { default: writeExample } = (await import(join(benchmarkFolder, name, "example.ts"))) as {
      default: (folder: string) => Promise<void>;
    };
    await writeExample(data);
    await use(data, await benchmarksOf(name));
  } finally {
    await rm(data, { recursive: true });
  }
}
