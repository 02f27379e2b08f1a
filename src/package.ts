import { existsSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** Path of a file that comes with the package, by its place there, from the sources as from what is built of them. */
export const packagePath = (place: string): string => fileURLToPath(new URL(`../${place}`, import.meta.url));

/** The module `name` beside the one whose `import.meta` is given, and with its ending: sources are .ts, built files .js. */
export const moduleBeside = ({ url }: ImportMeta, name: string): URL =>
  new URL(`${name}${extname(url)}`, url);

/** A thread that runs the module `name` beside the one whose `import.meta` is given. */
export function threadBeside(
  meta: ImportMeta,
  name: string,
  workerData: unknown,
  options: Pick<WorkerOptions, "env"> = {},
): Worker {
  // Threads take over the flags of their process, of which this one is about code without a file.
  const isOfText = process.execArgv.some((flag) => flag.startsWith("--input-type"));
  return new Worker(moduleBeside(meta, name), { ...options, workerData, ...(isOfText && { execArgv: [] }) });
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(packagePath("package.json"), "utf8")) as { version: string }).version;
}

/** The file that somebody names: their own, else that of the same place in the package, such as "recipes/evaluation/published.json". */
export function ownOrShipped(path: string): string {
  const shipped = join(packagePath(""), path);
  return !existsSync(path) && existsSync(shipped) ? shipped : path;
}

/** A shipped recipe is loaded as it was built where the package is installed: Node runs no TypeScript there. */
export function loadableRecipe(path: string): string {
  const place = relative(packagePath(""), path);
  const built = packagePath(`dist/${place.replace(/\.ts$/, ".js")}`);
  const isInstalled = import.meta.url.endsWith(".js") && !place.startsWith("..");
  return isInstalled && existsSync(built) ? built : path;
}
