import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadModel } from "./index.ts";

const library = new URL("./index.ts", import.meta.url).href;
const fixtures = fileURLToPath(new URL("../test/fixtures/llava/", import.meta.url));
const empty = mkdtempSync(join(tmpdir(), "llava-empty-"));
after(() => rmSync(empty, { recursive: true }));

async function run(script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { env: { ...process.env, ...env } };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", script],
    options,
  );
  return stdout;
}

test("a model answers messages and pictures in six lines", async () => {
  using model = await loadModel(`${fixtures}qwen2`);
  const image = `${fixtures}images/wide.png`;
  let text = "";
  for await (const part of model.chat("What is it?", { images: [image], maxTokens: 12, ignoreEos: true })) {
    if (part.type === "text-delta") text += part.text;
    else
      assert.deepEqual([part.reason, part.usage.imageTokens, part.usage.completionTokens], ["length", 4, 12]);
  }
  const content = [
    { type: "image" as const, image },
    { type: "text" as const, text: "What is it?" },
  ];
  const sampling = { maxTokens: 12 };
  let same = "";
  for await (const part of model.generate({ messages: [{ role: "user", content }], sampling })) {
    if (part.type === "text-delta") same += part.text;
  }
  assert.ok(text.length > 0 && text.startsWith(same));
});

test("importing the library loads nothing native and starts nothing", async () => {
  const script = `
    const names = Object.keys(await import(${JSON.stringify(library)}));
    const native = process.report.getReport().sharedObjects.filter((path) => /torch|\\.node$/.test(path));
    console.log(JSON.stringify({ names, native, resources: process.getActiveResourcesInfo() }));`;
  const { names, native, resources } = JSON.parse(await run(script));
  assert.deepEqual(names, ["LlavaError", "loadModel"]);
  assert.deepEqual(native, []);
  assert.ok(!resources.some((resource: string) => /Socket|Timeout|FSReq/.test(resource)));
});

test("without libtorch, loading a model says what to do", async () => {
  const script = `
    const { loadModel } = await import(${JSON.stringify(library)});
    await loadModel("anything").catch(({ code, hint }) => console.log(JSON.stringify({ code, hint })));`;
  const env = { LLAVA_HOME: empty };
  const { code, hint } = JSON.parse(await run(script, env));
  assert.equal(code, "setup");
  assert.match(hint, /llava setup/);
});
