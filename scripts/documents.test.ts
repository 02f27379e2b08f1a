import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pathOf } from "./architecture.ts";

const documents = ["*.md", "{bench,docs,examples,models,test}/**/*.md"].flatMap((pattern) =>
  globSync(pattern, { cwd: pathOf("") }),
);

for (const document of documents)
  test(`the links of ${document} lead to files`, () => {
    const links = [...readFileSync(pathOf(document), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)];
    const missing = links.flatMap(([, to = ""]) =>
      existsSync(join(pathOf(dirname(document)), to)) ? [] : [to],
    );
    assert.deepEqual(missing, []);
  });

test("the README's program is examples/chat.ts", () => {
  const [, code] = /^```ts[^\n]*\n(.*?)^```$/ms.exec(readFileSync(pathOf("README.md"), "utf8"))!;
  assert.equal(code, readFileSync(pathOf("examples/chat.ts"), "utf8"));
});
