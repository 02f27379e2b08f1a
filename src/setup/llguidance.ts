import { existsSync, rmSync } from "node:fs";
import { copyFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { extractZipMember, withLock } from "../files/index.ts";
import { packagePath } from "../package.ts";
import { requireBuildTools } from "./build-tools.ts";
import { cacheFolder, type Environment, makeCacheFolder } from "./cache.ts";
import { buildWithCmake } from "./cmake.ts";
import type { SetupOptions } from "./options.ts";
import { fetchWheel, readPins, removeWheel } from "./wheels.ts";

/** Paths of llguidance's library, and of the one with the names of Python's that it must find loaded. */
export interface Llguidance {
  readonly library: string;
  readonly symbols: string;
}

const sources = packagePath("native/llguidance");

/** llguidance in the cache. */
export function findLlguidance(env: Environment = process.env): Llguidance | undefined {
  const found = inFolder(llguidanceFolder(env));
  return existsSync(found.library) && existsSync(found.symbols) ? found : undefined;
}

/**
 * Finds llguidance, or fetches its wheel, pinned by hash, and builds the library of names beside it.
 * @throws LlavaError "setup" or "network"
 */
export async function ensureLlguidance(options: SetupOptions = {}): Promise<Llguidance> {
  const { env = process.env, report, signal } = options;
  const folder = llguidanceFolder(env);
  makeCacheFolder(dirname(folder));
  return (
    findLlguidance(env) ??
    (await withLock(`${folder}.lock`, async () => findLlguidance(env) ?? (await install(folder, options)), {
      onWait: (holder) => report?.(`Another process is installing llguidance; waiting: ${holder}.`),
      ...(signal && { signal }),
    }))
  );
}

async function install(folder: string, options: SetupOptions): Promise<Llguidance> {
  const { env = process.env, report, signal } = options;
  requireBuildTools(env); // what is missing is told before anything is downloaded
  report?.(`Installing llguidance ${release} into ${folder} (3 MB).`);
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  makeCacheFolder(partial);
  try {
    const [wheel] = await readPins(join(sources, "requirements.txt"));
    const path = await fetchWheel(wheel!, options);
    await extractZipMember(path, "llguidance/_lib.abi3.so", inFolder(partial).library, {
      ...(signal && { signal }),
    });
    const objects = join(partial, "build");
    const log = join(cacheFolder(env), "logs", "llguidance.build.log");
    await buildWithCmake({ source: sources, objects, log }, options);
    await copyFile(join(objects, "python_symbols.so"), inFolder(partial).symbols);
    await rm(objects, { recursive: true });
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    await removeWheel(path);
    return inFolder(folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

const release = "1.9.1";

const llguidanceFolder = (env: Environment): string => join(cacheFolder(env), `llguidance-${release}`);

const inFolder = (folder: string): Llguidance => ({
  library: join(folder, "llguidance.so"),
  symbols: join(folder, "python_symbols.so"),
});
