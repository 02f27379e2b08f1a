import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { type PromptRow, readPromptRows } from "./prompt-rows.ts";

const folder = temporaryFolder("llava-rows");
const path = join(folder, "rows.jsonl");
const here = (name: string): string => join(folder, name);

async function readAll(...rows: readonly unknown[]): Promise<PromptRow[]> {
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  return await readPromptRows(path);
}
const errorOf = async (row: unknown): Promise<string> => {
  const [{ error }] = (await readAll(row)) as [PromptRow];
  return error === undefined ? "" : `${error.code} ${error.message} ${error.hint}`;
};

test("images come under either name, one or several, from the file's folder", async () => {
  const rows = await readAll(
    { prompt: "a", image: "x.png" },
    { id: "b", prompt: "a", images: "x.png" },
    { prompt: "a", images: ["x.png", "/y.png", "https://example.org/z.png"], image: null },
    { id: null, prompt: "a", image: "", images: [] },
  );
  assert.deepEqual(
    rows.map(({ id, images, error }) => [id, images, error]),
    [
      [1, [here("x.png")], undefined],
      ["b", [here("x.png")], undefined],
      [3, [here("x.png"), "/y.png", "https://example.org/z.png"], undefined],
      [4, [], undefined],
    ],
  );
});

test("a row's system message and sampling are its own, in both spellings", async () => {
  const [row] = await readAll({
    prompt: "a",
    system: "Be brief.",
    max_tokens: 3,
    topK: 2,
    temperature: null,
    stop: "x",
  });
  assert.equal(row!.system, "Be brief.");
  assert.deepEqual(row!.sampling, { maxTokens: 3, topK: 2, stop: ["x"] });
});

test("messages are a conversation, its images from the file's folder, its marks filled", async () => {
  const parts = [
    { type: "image_url", image_url: { url: "x.png" } },
    { type: "text", text: "a" },
  ];
  const answered = { role: "assistant", content: "b" };
  const [own, marked] = await readAll(
    { messages: [{ role: "user", content: parts }] },
    {
      messages: [{ role: "user", content: "<image> a" }, answered, { role: "user", content: "c" }],
      image: "x.png",
    },
  );
  const question = {
    role: "user",
    content: [
      { type: "image", image: here("x.png") },
      { type: "text", text: "a" },
    ],
  };
  assert.deepEqual(own!.messages, [question]);
  assert.deepEqual(marked!.messages![0], question);
  assert.deepEqual(marked!.images, []);
});

test("a JSON list is rows too", async () => {
  writeFileSync(path, JSON.stringify([{ prompt: "a" }, 7, { id: "c", prompt: "b" }], null, 2));
  const rows = await readPromptRows(path);
  assert.deepEqual(
    rows.map(({ id, error }) => [id, error?.code]),
    [
      [1, undefined],
      [2, "data"],
      ["c", undefined],
    ],
  );
});

test("what is not understood is refused by name, with what was meant and what is known", async () => {
  const cases: [row: unknown, expected: RegExp][] = [
    [
      { prompt: "a", imgs: "x" },
      /^data .*rows\.jsonl:1: .*"imgs"; did you mean "images"\? Known are id, prompt/,
    ],
    [{ prompt: "a", Images: ["x"] }, /did you mean "images"/],
    [{ prompt: "a", audio: "x.mp3" }, /"audio"/],
    [{ question: "a" }, /"question"; did you mean "prompt"/],
    [{ prompt: "a", temprature: 1 }, /did you mean "temperature"/],
    [{ prompt: "a", temperature: -1 }, /temperature/],
    [{ prompt: "a", max_tokens: 1, maxTokens: 2 }, /maxTokens twice/],
    [{ prompt: "a", image: "x", images: ["y"] }, /both image and images/],
    [{ prompt: "a", messages: [] }, /both prompt and messages/],
    [{ image: "x" }, /prompt: is needed/],
    [{ messages: [{ role: "user", content: [{ type: "picture" }] }] }, /its type is "picture"/],
    [{ messages: [{ role: "user", content: "<image>" }] }, /1 <image> placeholder but 0 images/],
    [{ system: "x", messages: [{ role: "system", content: "y" }] }, /both system and a system message/],
    [7, /expected an object/],
  ];
  for (const [row, expected] of cases) assert.match(await errorOf(row), expected);
});

test("any row comes through whole, or as an error that names its line", async () => {
  const value = fc.oneof(fc.constantFrom(null, "", "a", 0, 1, [], ["x.png"], {}), fc.jsonValue());
  const keys = [
    "id",
    "prompt",
    "image",
    "images",
    "system",
    "max_tokens",
    "seed",
    "stop",
    "messages",
    "other",
  ];
  const row = fc.dictionary(fc.constantFrom(...keys), value);
  await fc.assert(
    fc.asyncProperty(row, async (given) => {
      const [{ images, sampling = {}, error, messages, ...rest }] = (await readAll(given)) as [PromptRow];
      if (error !== undefined) return assert.match(error.message, /rows\.jsonl:1: /);
      assert.equal(given["other"] ?? null, null);
      const named = [given["image"], given["images"]]
        .flat(2)
        .filter((name) => name !== null && name !== undefined && name !== "");
      if (messages === undefined) assert.equal(images.length, named.length);
      assert.equal(rest.system ?? "", given["system"] ?? "");
      assert.equal(sampling.maxTokens ?? null, given["max_tokens"] ?? null);
      assert.equal(sampling.seed ?? null, given["seed"] ?? null);
    }),
    { numRuns: 300 },
  );
});
