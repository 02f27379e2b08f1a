import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { PageFiles } from "./page.ts";

const folder = new URL("../page/", import.meta.url);

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8",
};

/** The chat page: as the package holds it, or in a checkout as its sources say without their types. */
export function readPageFiles(): PageFiles {
  const names = readdirSync(folder).filter((name) => extname(name) in types && !name.endsWith(".d.ts"));
  const files = names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")] as const);
  const isBuilt = names.includes("main.js");
  const served = files.map(([name, text]) => {
    if (name === "page.html")
      return ["index.html", isBuilt ? text.replace("main.ts", "main.js") : text] as const;
    const script = name.endsWith(".ts") ? withoutTypes(text) : text;
    return [name, script.replace(/ from "marked"/, ' from "./marked.js"')] as const;
  });
  const marked = readFileSync(fileURLToPath(import.meta.resolve("marked")), "utf8");
  return new Map(
    [...served, ["marked.js", marked] as const].map(([name, text]) => [
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
