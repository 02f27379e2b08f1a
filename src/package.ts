import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of a file that comes with the package, by its place there, from the sources as from what is built of them. */
export const packagePath = (place: string): string => fileURLToPath(new URL(`../${place}`, import.meta.url));

/** The module `name` beside the one whose `import.meta` is given, and with its ending: sources are .ts, built files .js. */
export const moduleBeside = ({ url }: ImportMeta, name: string): URL =>
  new URL(`${name}${extname(url)}`, url);

export function packageVersion(): string {
  return (JSON.parse(readFileSync(packagePath("package.json"), "utf8")) as { version: string }).version;
}
