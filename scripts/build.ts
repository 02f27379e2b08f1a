/**
 * Builds the package into dist/: the JavaScript and declarations of src and recipes, the files that modules read beside
 * themselves, and an entry for each subpath. A checkout needs none of it.
 *
 *   npm run build
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { pathOf } from "./architecture.ts";
import { builtFile, entryOf } from "./published.ts";

const dist = pathOf("dist");
rmSync(dist, { recursive: true, force: true });
for (const project of [
  "tsconfig.build.json",
  "recipes/tsconfig.build.json",
  "src/serving/page/tsconfig.build.json",
  "src/benchmark-building/review/page/tsconfig.build.json",
]) {
  const { status } = spawnSync("npx", ["tsc", "-p", pathOf(project)], { cwd: pathOf(""), stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

// The compiler rewrites the endings of imports in what runs, and leaves them in declarations.
for (const name of globSync("**/*.d.ts", { cwd: dist })) {
  const path = join(dist, name);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace(/(\b(?:from|import) ?\(?"\.{1,2}\/[^"]*)\.ts"/g, '$1.js"'));
}
for (const name of globSync("**/*.{wasm,html,css}", { cwd: pathOf("src") }))
  copyFileSync(join(pathOf("src"), name), join(dist, name));

// An entry stands before its module: an older Node cannot even parse what the module imports, and would show that.
const { exports } = JSON.parse(readFileSync(pathOf("package.json"), "utf8"));
for (const [subpath, source] of Object.entries(exports as Record<string, string>)) {
  const entry = entryOf(subpath, source);
  if (entry === undefined) continue;
  const built = builtFile(source, ".js");
  const names = Object.keys(await import(pathToFileURL(pathOf(built)).href));
  const path = pathOf(entry);
  mkdirSync(dirname(path), { recursive: true });
  const from = (file: string): string => relative(dirname(path), pathOf(file)).replaceAll("\\", "/");
  const lines = [
    `import { loadModule } from "${from("bin/load-module.js")}";`,
    `export const { ${names.join(", ")} } = loadModule(new URL("${from(built)}", import.meta.url));`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
}
