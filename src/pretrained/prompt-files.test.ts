// What decides prompts and their ends, read and written: npm test -- src/pretrained/prompt-files.test.ts
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { tokenizePrompt } from "../processing/conversation/index.ts";
import { loadCheckpoint } from "./index.ts";
import { writePromptFiles } from "./prompt-files.ts";

const fixture = join(import.meta.dirname, "../../test/fixtures/llava/llama");
const folder = temporaryFolder("llava-prompts");

const copy = (name: string): string => {
  const path = join(folder, name);
  cpSync(fixture, path, { recursive: true, filter: (from) => !/reference|training|beams/.test(from) });
  return path;
};
const read = (path: string, name: string) => JSON.parse(readFileSync(join(path, name), "utf8"));
const write = (path: string, name: string, value: unknown) =>
  writeFileSync(join(path, name), JSON.stringify(value));

test("answers end at the ids that are stated, at the tokenizer's end of text and at the template's own end", async () => {
  const path = copy("stops");
  write(path, "generation_config.json", { eos_token_id: 1 });
  const stopIds = async (template?: string) => {
    using loaded = await loadCheckpoint(path, { ...(template !== undefined && { template }) });
    return loaded.processor.stopIds;
  };
  assert.deepEqual(await stopIds("vicuna_v1"), [1, 2]);
  assert.deepEqual(await stopIds("plain"), [1, 2]);
  const { eos_token: _, ...config } = read(path, "tokenizer_config.json");
  write(path, "tokenizer_config.json", { ...config, eos_token: null });
  assert.deepEqual(await stopIds("vicuna_v1"), [1, 2]);
  assert.deepEqual(await stopIds("plain"), [1]);
});

test("a template takes the place of all others that files hold, and ids are added to those stated", () => {
  const path = copy("written");
  const stale = { chat_template: "{{ 'stale' }}" };
  write(path, "chat_template.json", stale);
  write(path, "tokenizer_config.json", { ...read(path, "tokenizer_config.json"), ...stale });
  writeFileSync(join(path, "processor_config.json"), '{"patch_size": 14.0, "chat_template": "stale"}');
  writePromptFiles(path, { chatTemplate: "{{ 1 }}", stopIds: [2, 7] });
  assert.equal(readFileSync(join(path, "chat_template.jinja"), "utf8"), "{{ 1 }}");
  assert.ok(!existsSync(join(path, "chat_template.json")));
  assert.equal(read(path, "tokenizer_config.json").chat_template, undefined);
  assert.equal(read(path, "tokenizer_config.json").bos_token, "<s>");
  assert.equal(readFileSync(join(path, "processor_config.json"), "utf8"), '{\n  "patch_size": 14.0\n}\n');
  assert.deepEqual(read(path, "generation_config.json").eos_token_id, [2, 7]);
  const before = readFileSync(join(path, "generation_config.json"), "utf8");
  writePromptFiles(path, { chatTemplate: "{{ 1 }}", stopIds: [7] });
  assert.equal(readFileSync(join(path, "generation_config.json"), "utf8"), before);
  rmSync(join(path, "generation_config.json"));
  writePromptFiles(path, { chatTemplate: "{{ 1 }}", stopIds: [9] });
  assert.deepEqual(read(path, "generation_config.json").eos_token_id, [2, 9]);
});

test("images between control tokens: in the prompt where the tokenizer has or gets them, refused where no id is left", async () => {
  const original = join(import.meta.dirname, "../../test/fixtures/llava/original");
  const path = join(folder, "marked");
  cpSync(original, path, { recursive: true });
  const config = read(path, "config.json");
  write(path, "config.json", { ...config, mm_use_im_start_end: true });
  await assert.rejects(loadCheckpoint(path), /mm_use_im_start_end puts images between .* no room for it/);
  // Two of its words give their ids to the control tokens.
  const { model, ...others } = read(path, "tokenizer.json");
  const tokens = new Map([
    [270, "<im_start>"],
    [271, "<im_end>"],
  ]);
  const vocab = Object.fromEntries(
    Object.entries<number>(model.vocab).map(([token, id]) => [tokens.get(id) ?? token, id]),
  );
  const isLeft = (merge: string | readonly string[]) =>
    !tokens.has(model.vocab[typeof merge === "string" ? merge.replace(" ", "") : merge.join("")]);
  write(path, "tokenizer.json", {
    ...others,
    model: { ...model, vocab, merges: model.merges.filter(isLeft) },
  });
  using loaded = await loadCheckpoint(path);
  const pieces = loaded.processor.promptFormat.render([
    {
      role: "user",
      content: [{ type: "image" }, { type: "text", text: "What?" }],
    },
  ]);
  const { inputIds } = tokenizePrompt(pieces, loaded.processor.tokenizer, {
    imageTokens: () => 2,
    imageTokenId: -200,
  });
  const at = inputIds.indexOf(-200);
  assert.deepEqual(inputIds.slice(at - 1, at + 3), [270, -200, -200, 271]);
});
