import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadModel, openEngine, serve } from "./index.ts";

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

test("a model answers many at once, in this process and over HTTP", async () => {
  using model = await loadModel(`${fixtures}qwen2`);
  const messages = [{ role: "user", content: "What is it?" }] as const;
  const sampling = { maxTokens: 5, ignoreEos: true };
  let text = "";
  {
    using engine = await openEngine(model, { memory: 1 << 24 });
    for await (const part of engine.answer({ prompt: { messages }, sampling }))
      if (part.type === "delta") text += part.text;
  }
  await using served = await serve(model, { port: 0, engine: { memory: 1 << 24 } });
  const body = { model: model.id, messages, max_tokens: 5, ignore_eos: true, temperature: 0 };
  const response = await fetch(`${served.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { choices, usage } = (await response.json()) as {
    choices: { message: { content: string } }[];
    usage: { completion_tokens: number };
  };
  assert.deepEqual([choices[0]!.message.content, usage.completion_tokens], [text, 5]);
  assert.equal(served.engine.state().running, 0);
});

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

test("images come one or several, in any holder, and in others' spellings; <image> is where they go", async () => {
  using model = await loadModel(`${fixtures}qwen2`);
  const path = `${fixtures}images/wide.png`;
  const bytes = readFileSync(path);
  const answer = async (...[said, options]: Parameters<typeof model.chat>) => {
    let text = "";
    for await (const part of model.chat(said, { maxTokens: 6, ignoreEos: true, ...options }))
      if (part.type === "text-delta") text += part.text;
      else assert.equal(part.usage.imageTokens, 4);
    return text;
  };
  const expected = await answer("What is it?", { images: [path] });
  for (const image of [
    path,
    bytes,
    new Uint8Array(bytes).buffer,
    new Blob([bytes]),
    bytes.toString("base64"),
  ])
    assert.equal(await answer("<image>\nWhat is it?", { images: image }), expected);
  const url = `data:image/png;base64,${bytes.toString("base64")}`;
  const parts = [
    { type: "image_url", image_url: { url } } as const,
    { type: "text", text: "What is it?" } as const,
  ];
  assert.equal(await answer([{ role: "user", content: parts }]), expected);
});

test("options that nobody reads are refused, and so are types and devices that are none", async () => {
  using model = await loadModel(`${fixtures}qwen2`);
  const first = (options: object) => model.chat("Hi", options)[Symbol.asyncIterator]().next();
  await assert.rejects(first({ max_tokens: 3 }), {
    code: "usage",
    message: /"max_tokens"; did you mean "maxTokens"/,
  });
  await assert.rejects(first({ image: "a.png" }), {
    code: "usage",
    message: /"image"; did you mean "images"/,
  });
  await assert.rejects(first({ images: { url: "a" } }), {
    code: "image",
    message: /images: expected an image/,
  });
  const load = (options: object) => loadModel(`${fixtures}qwen2`, options);
  await assert.rejects(load({ dtype: "int4" }), { code: "usage", message: /"int4".*float32/ });
  await assert.rejects(load({ device: "gpu" }), { code: "usage", message: /"gpu"/ });
  await assert.rejects(load({ torch_dtype: "fp16" }), { message: /"torch_dtype"; did you mean "dtype"/ });
  using half = await load({ dtype: "fp16" });
  assert.equal(half.pretrained.model.languageModel.parameters()[0]!.dtype, "float16");
});

test("a disposed model says that it is, and what to do", async () => {
  const model = await loadModel(`${fixtures}qwen2`);
  const underWay = model.chat("Hi", { maxTokens: 50, ignoreEos: true })[Symbol.asyncIterator]();
  await underWay.next();
  model.dispose();
  model.dispose();
  const told = { code: "usage", message: /the model .*qwen2 was disposed of/, hint: /Load it again/ };
  await assert.rejects(async () => {
    while (!(await underWay.next()).done);
  }, told);
  await assert.rejects(model.chat("Hi")[Symbol.asyncIterator]().next(), told);
  await assert.rejects(model.prepare({ messages: [] }), told);
});

test("importing the library loads nothing native and starts nothing", async () => {
  const script = `
    const names = Object.keys(await import(${JSON.stringify(library)}));
    const native = process.report.getReport().sharedObjects.filter((path) => /torch|\\.node$/.test(path));
    console.log(JSON.stringify({ names, native, resources: process.getActiveResourcesInfo() }));`;
  const { names, native, resources } = JSON.parse(await run(script));
  assert.deepEqual(names, ["LlavaError", "loadModel", "openEngine", "serve"]);
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
