/**
 * package.json as it is published: its exports lead to what is built, where those of a checkout lead to the sources, so
 * that there nothing has to be built. `npm pack` writes it (prepack) and takes it back (postpack).
 *
 *   node scripts/published.ts write|restore
 */
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { neededNode } from "../bin/node-version.js";
import { pathOf } from "./architecture.ts";

interface Description {
  readonly exports: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** What is built of a source: "./src/a/b.ts" becomes "./dist/a/b.js", "./recipes/c.ts" "./dist/recipes/c.js". */
export const builtFile = (source: string, ending: ".js" | ".d.ts"): string =>
  source.replace(/^\.\/(?:src\/)?/, "./dist/").replace(/\.ts$/, ending);

/** The file that a subpath is imported by; undefined where that is the module itself. */
export function entryOf(subpath: string, source: string): string | undefined {
  if (!source.startsWith("./src/")) return undefined;
  return `./dist/entries/${subpath === "." ? "index" : basename(subpath)}.js`;
}

export function publishedDescription({ exports, ...description }: Description) {
  const { scripts, devDependencies, allowScripts, ...kept } = description;
  const built = Object.entries(exports).map(([subpath, source]) => {
    if (!source.endsWith(".ts")) return [subpath, source];
    const code = entryOf(subpath, source) ?? builtFile(source, ".js");
    return [subpath, { types: builtFile(source, ".d.ts"), default: code }];
  });
  return { ...kept, engines: { node: `>=${neededNode}` }, exports: Object.fromEntries(built) };
}

const description = pathOf("package.json");
/** The checkout's own, while the published one stands in its place. */
const kept = pathOf("package.json.checkout");

function restore(): void {
  if (existsSync(kept)) renameSync(kept, description);
}

function write(): void {
  restore();
  const published = publishedDescription(JSON.parse(readFileSync(description, "utf8")));
  copyFileSync(description, kept);
  writeFileSync(description, `${JSON.stringify(published, null, 2)}\n`);
}

if (import.meta.main) {
  const steps: Record<string, () => void> = { write, restore };
  const step = steps[process.argv[2] ?? ""];
  if (step === undefined) throw new Error("node scripts/published.ts write|restore");
  step();
}
