import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { PageFiles } from "./page.ts";

const chatPage = new URL("../page/", import.meta.url);

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8",
};

/**
 * A page, the chat's if none is named: as the package holds it, or in a checkout as its sources say without their types.
 * @param libraries names of packages that its scripts import, each a module in one file
 */
export function readPageFiles(folder = chatPage, libraries: readonly string[] = ["marked"]): PageFiles {
  const names = readdirSync(folder).filter((name) => extname(name) in types && !name.endsWith(".d.ts"));
  const files = names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")] as const);
  const isBuilt = names.includes("main.js");
  const served = files.map(([name, text]) => {
    if (name === "page.html")
      return ["index.html", isBuilt ? text.replace("main.ts", "main.js") : text] as const;
    const script = name.endsWith(".ts") ? withoutTypes(text) : text;
    return [name, script.replace(/ from "(\w+)"/g, ' from "./$1.js"')] as const;
  });
  const modules = libraries.map(
    (name) => [`${name}.js`, readFileSync(fileURLToPath(import.meta.resolve(name)), "utf8")] as const,
  );
  return new Map(
    [...served, ...modules].map(([name, text]) => [
      name,
      { type: types[extname(name)]!, bytes: Buffer.from(text) },
    ]),
  );
}

/** Node says each time that this may change; whoever serves a page can do nothing about it. */
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
