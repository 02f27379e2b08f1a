// Tokenizers as GGUF files describe them, and back: npm test -- src/processing/tokenizer/gguf-metadata.test.ts
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { ggufTokenizer, loadTokenizer, type Tokenizer, tokenizerFiles, tokenizerFromGguf } from "./index.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/tokenizer/", import.meta.url));
const folder = temporaryFolder("llava-gguf-tokenizer");

const texts = fc.array(
  fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 12 }),
    fc.constantFrom(
      "the",
      " quick",
      "\n\n",
      "  ",
      "don't",
      "1234",
      "naïve",
      "日本語",
      "🙂",
      "</s>",
      "<s>",
      "▁",
    ),
  ),
  { maxLength: 8 },
);

function assertSame(actual: Tokenizer, expected: Tokenizer, what: string): void {
  for (const role of ["bosId", "eosId", "padId", "addsBos", "stripsLeadingSpace"] as const)
    assert.equal(actual[role], expected[role], `${what}: ${role}`);
  fc.assert(
    fc.property(texts, fc.boolean(), (parts, special) => {
      const text = parts.join("");
      const ids = expected.encode(text, { special });
      assert.deepEqual(actual.encode(text, { special }), ids, `${what}: ${JSON.stringify(text)}`);
      assert.equal(actual.decode(ids), expected.decode(ids));
    }),
    { numRuns: 200, seed: 7 },
  );
}

for (const name of ["llama2", "llama3", "metaspace", "qwen2", "sentencepiece", "smollm"])
  describe(name, async () => {
    const tokenizer = await loadTokenizer(join(fixtures, name));
    const rows = tokenizer.vocabSize + 5;
    const { metadata, notes } = ggufTokenizer(join(fixtures, name), tokenizer, rows);
    const bare = new Map(metadata);
    bare.delete("tokenizer.huggingface.json");

    test("is the same tokenizer by what a GGUF file says of it", () => {
      assertSame(tokenizerFromGguf(metadata), tokenizer, name);
    });

    test("is the same by the words of the format, but for spaces at the begin of a text in one scheme", () => {
      assert.equal(notes.length, name === "metaspace" ? 1 : 0);
      if (notes.length === 0) assertSame(tokenizerFromGguf(bare), tokenizer, name);
    });

    test("has a token for each row", () => {
      const tokens = metadata.get("tokenizer.ggml.tokens") as string[];
      assert.equal(tokens.length, rows);
      assert.equal(tokens.at(-1), `[PAD${rows - 1}]`);
      assert.equal((metadata.get("tokenizer.ggml.token_type") as Int32Array).at(-1), 5);
    });

    const both = [
      ["the words of the format", bare],
      ["its own file, kept whole", metadata],
    ] as const;
    for (const [what, said] of both.filter(([, said]) => said !== bare || notes.length === 0))
      test(`is the same again as a tokenizer.json, from ${what}`, async () => {
        const path = join(folder, `${name}-${said === bare}`);
        await mkdir(path);
        const { tokenizer: json, config } = tokenizerFiles(said);
        writeFileSync(join(path, "tokenizer.json"), JSON.stringify(json));
        writeFileSync(join(path, "tokenizer_config.json"), JSON.stringify(config));
        assertSame(await loadTokenizer(path), tokenizer, name);
      });
  });

test("one that cuts words in a way that has no name is refused", async () => {
  const path = join(folder, "other");
  await mkdir(path);
  const json = JSON.parse(readFileSync(join(fixtures, "llama3", "tokenizer.json"), "utf8"));
  json.pre_tokenizer = {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: "[0-9]+" }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  };
  writeFileSync(join(path, "tokenizer.json"), JSON.stringify(json));
  const tokenizer = await loadTokenizer(path);
  assert.throws(() => ggufTokenizer(path, tokenizer, tokenizer.vocabSize), /cuts words in another way/);
});
