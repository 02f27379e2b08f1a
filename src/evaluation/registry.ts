import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { LlavaError } from "../errors.ts";
import { moduleBeside } from "../package.ts";
import { nearNames } from "../spelling.ts";
import type { Benchmark } from "./benchmark.ts";

/** What the index.ts of a folder of benchmarks/ exports. */
interface BenchmarkModule {
  readonly default: Benchmark | readonly Benchmark[];
}

const folder = new URL("./benchmarks/", import.meta.url);

/** All benchmarks, by name: one folder of benchmarks/ each, or a folder with several variants. */
export async function listBenchmarks(): Promise<readonly Benchmark[]> {
  const entries = await readdir(folder);
  const loaded = await Promise.all(entries.filter(hasIndex).map(loadFolder));
  return loaded.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws LlavaError "usage" for a name that no benchmark has, with the nearest and all known ones */
export async function findBenchmark(name: string): Promise<Benchmark> {
  const own = /^[a-z0-9-]+$/.test(name) && hasIndex(name) ? await loadFolder(name) : [];
  const found = own.find((candidate) => candidate.name === name);
  if (found) return found;
  const all = await listBenchmarks();
  return all.find((candidate) => candidate.name === name) ?? refuse(name, all);
}

const indexOf = (name: string): URL => moduleBeside(import.meta, `benchmarks/${name}/index`);
const hasIndex = (name: string): boolean => existsSync(indexOf(name));

async function loadFolder(name: string): Promise<readonly Benchmark[]> {
  const { default: exported } = (await import(indexOf(name).href)) as BenchmarkModule;
  return Array.isArray(exported) ? exported : [exported as Benchmark];
}

function refuse(name: string, all: readonly Benchmark[]): never {
  const names = all.map((benchmark) => benchmark.name);
  const [near] = nearNames(name, names);
  throw new LlavaError("usage", `there is no benchmark "${name}"`, {
    hint: `${near === undefined ? "" : `Did you mean ${near}? `}Known: ${names.join(", ")}.`,
  });
}
